/* Everything a user of the library includes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_DETENT_H
#define DT_TRAIN_DETENT_H

#include "core/file.h"
#include "core/opt.h"
#include "data/check.h"
#include "data/dataset.h"
#include "data/pack.h"
#include "data/transform.h"
#include "export/exporter.h"
#include "export/import.h"
#include "export/target.h"
#include "fakequant/quantizers.h"
#include "integer/prove.h"
#include "layers/models.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "recipes/recipe.h"
#include "train/bench.h"
#include "train/budget.h"
#include "train/container.h"
#include "train/evaluate.h"
#include "train/evaluate_integer.h"
#include "train/hold.h"
#include "train/inspect.h"
#include "train/run.h"
#include "train/session.h"
#include "train/verify.h"
#include "train/verify_foreign.h"

#endif
