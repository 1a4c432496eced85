/* Everything a user of the library includes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_DETENT_H
#define DT_TRAIN_DETENT_H

#include "comm/comm.h"
#include "core/file.h"
#include "core/opt.h"
#include "data/check.h"
#include "data/dataset.h"
#include "data/pack.h"
#include "data/transform.h"
#include "exchange/exporter.h"
#include "exchange/import.h"
#include "exchange/target/target.h"
#include "fakequant/quantizers.h"
#include "integer/form.h"
#include "integer/prove.h"
#include "layers/models.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "recipes/recipe.h"
#include "train/bench/bench.h"
#include "train/inspect/inspect.h"
#include "train/net/budget.h"
#include "train/net/session.h"
#include "train/quantize/quantize.h"
#include "train/quantize/sensitivity.h"
#include "train/run/evaluate.h"
#include "train/run/evaluate_integer.h"
#include "train/run/expect.h"
#include "train/run/hold.h"
#include "train/run/predict.h"
#include "train/run/run.h"
#include "train/run/verify.h"
#include "train/run/verify_foreign.h"
#include "train/store/container.h"

#endif
