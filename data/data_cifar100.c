/* CIFAR-100: 50,000 training and 10,000 test pictures of 100 fine or 20 coarse classes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/cifar_file.h"

enum { COARSE_BYTE = 0, FINE_BYTE = 1 }; /* order in a record */

typedef struct conf {
    int labels; /* 0 fine, 1 coarse */
} conf;

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, labels, 0, "fine|coarse", "100 fine or 20 coarse classes"),
    DT_OPT_END,
};

static const char *const coarse_names[] = {
    "aquatic_mammals",
    "fish",
    "flowers",
    "food_containers",
    "fruit_and_vegetables",
    "household_electrical_devices",
    "household_furniture",
    "insects",
    "large_carnivores",
    "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores",
    "medium_mammals",
    "non-insect_invertebrates",
    "people",
    "reptiles",
    "small_mammals",
    "trees",
    "vehicles_1",
    "vehicles_2",
};

/* clang-format off */
static const char *const fine_names[] = {
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
    "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
    "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup",
    "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house",
    "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man",
    "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange", "orchid",
    "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy",
    "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal",
    "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar",
    "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor",
    "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman",
    "worm",
};
/* clang-format on */
_Static_assert(DT_ARRAY_LEN(fine_names) == 100 && DT_ARRAY_LEN(coarse_names) == 20, "class names");

static const dt_cifar_spec spec = {
    .layout = { .labels = 2, .classes = { 20, 100 } },
    .folder = "cifar-100-binary",
    .train = { "train.bin", NULL },
    .test = "test.bin",
};

static dt_status open(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                      dt_error *err)
{
    const conf *c = p->conf;
    dt_cifar_set *set;
    DT_TRY(dt_cifar_open(&spec, c->labels ? COARSE_BYTE : FINE_BYTE, p, &set, out_info, err));
    out_info->class_names = c->labels ? coarse_names : fine_names;
    *out_self = set;
    return DT_OK;
}

static bool holds(const char *root)
{
    return dt_cifar_holds(&spec, root);
}

extern const dt_dataset dt_dataset_cifar100;
const dt_dataset dt_dataset_cifar100 = {
    .row = { "cifar100", "CIFAR-100, 32x32, 100 or 20 classes (Krizhevsky 2009), binary version",
             opts, sizeof(conf) },
    .needs_root = true,
    .holds = holds,
    .open = open,
    .read = dt_cifar_read,
    .close = dt_cifar_close,
};
