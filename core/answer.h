/* What a sample's answer is: what a dataset gives beside the input, a task asks for and a loss
 * compares the output with. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_ANSWER_H
#define DT_CORE_ANSWER_H

typedef enum dt_answer {
    DT_ANSWER_LABEL,   /* one of K classes: an int32 */
    DT_ANSWER_FLAGS,   /* each of K classes, 0 or 1: floats */
    DT_ANSWER_NUMBERS, /* K numbers: floats */
    DT_ANSWER_RECORD,  /* several of these, one behind the other in elements of 4 bytes */
} dt_answer;

#endif
