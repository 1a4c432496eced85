/* The models: parameter names and counts, and where quantizers sit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "autograd/quantizer.h"
#include "layers/models.h"
#include "tests/support/nets.h"

static int64_t float_parameters(const char *recipe)
{
    test_net t;
    test_net_open(&t, recipe, false);
    int64_t n = (int64_t)t.net.state.param_count;
    test_net_close(&t);
    return n;
}

#define IMAGES "data: {name: builtin}}"

START_TEST(parameter_counts)
{
    /* 6n+2 layers: conv1 432, stages of 3x3 convs with 16, 32, 64 channels, two numbers a channel
     * of batch norm, the head 650. He 2016 gives 0.27, 0.46, 0.66 and 0.85 million. */
    ck_assert_int_eq(float_parameters(TEST_FLOAT("resnet20")), 269722);
    ck_assert_int_eq(float_parameters(TEST_FLOAT("resnet32")), 464154);
    ck_assert_int_eq(float_parameters(TEST_FLOAT("resnet44")), 658586);
    ck_assert_int_eq(float_parameters(TEST_FLOAT("resnet56")), 853018);
    /* Two 1x1 convs with batch norm: 16*32 + 64 and 32*64 + 128. */
    ck_assert_int_eq(
        float_parameters("{model: {name: resnet20, shortcut: conv}, data: {name: builtin}}"),
        269722 + 576 + 2176);
    /* DeiT-Ti and DeiT-S have 5,717,416 and 22,050,664 with 14x14 patches (timm); here are 2x2. */
    ck_assert_int_eq(
        float_parameters("{model: {name: deit_tiny_patch16_224, classes: 1000}, " IMAGES),
        5717416 - 192 * 192);
    ck_assert_int_eq(
        float_parameters("{model: {name: deit_small_patch16_224, classes: 1000}, " IMAGES),
        22050664 - 192 * 384);
    /* torchvision's, with 1000 classes. */
    ck_assert_int_eq(float_parameters(TEST_FLOAT("resnet18, classes: 1000")), 11689512);
    ck_assert_int_eq(float_parameters(TEST_FLOAT("resnet34, classes: 1000")), 21797672);
    ck_assert_int_eq(float_parameters(TEST_FLOAT("resnet50, classes: 1000")), 25557032);
    ck_assert_int_eq(float_parameters(TEST_FLOAT("mobilenet_v2, classes: 1000")), 3504872);
    ck_assert_int_eq(float_parameters(TEST_FLOAT("mobilenet_v2, classes: 1000, width: 0.5")),
                     1968680);
    /* 9 (3*16 + 16*32 + 32*32 + 32*64 + 64*64), batch norm 2 * 208, head 650. */
    ck_assert_int_eq(float_parameters(TEST_FLOAT("smallcnn")), 9 * 7728 + 416 + 650);
}
END_TEST

#define TINY_VIT "vit, dim: 24, depth: 2, heads: 2"

static void expect_values(const char *recipe, const char *const *names, bool present)
{
    test_net t;
    test_net_open(&t, recipe, false);
    for (; *names; names++)
        ck_assert_msg((dt_graph_find(&t.net.graph, *names) >= 0) == present, "'%s' %s", *names,
                      present ? "is missing" : "is there");
    test_net_close(&t);
}

START_TEST(names_are_those_of_published_checkpoints)
{
    static const char *const names[] = { "conv1.weight",
                                         "bn1.weight",
                                         "bn1.bias",
                                         "bn1.running_mean",
                                         "bn1.running_var",
                                         "layer1.0.conv1.weight",
                                         "layer1.2.bn2.running_var",
                                         "layer2.0.conv1.weight",
                                         "layer3.2.conv2.weight",
                                         "linear.weight",
                                         "linear.bias",
                                         NULL };
    static const char *const others[] = { "fc.weight", "layer1.3.conv1.weight",
                                          "layer2.0.downsample.0.weight", "conv1.bias", NULL };
    static const char *const conv[] = { "layer2.0.downsample.0.weight",
                                        "layer3.0.downsample.1.running_mean", "fc.weight", NULL };
    static const char *const resnet[] = { "layer1.0.conv3.weight", "layer4.2.bn3.running_var",
                                          "layer1.0.downsample.0.weight", "fc.bias", NULL };
    static const char *const mobile[] = { "features.0.0.weight",
                                          "features.1.conv.0.0.weight",
                                          "features.1.conv.2.running_mean",
                                          "features.2.conv.1.1.weight",
                                          "features.17.conv.3.running_var",
                                          "features.18.1.bias",
                                          "classifier.1.weight",
                                          NULL };
    expect_values(TEST_FLOAT("resnet50"), resnet, true);
    expect_values(TEST_FLOAT("mobilenet_v2"), mobile, true);
    expect_values(TEST_FLOAT("resnet20"), names, true);
    expect_values(TEST_FLOAT("resnet20"), others, false);
    expect_values("{model: {name: resnet20, shortcut: conv, head: fc}, data: {name: builtin}}",
                  conv, true);
}
END_TEST

START_TEST(names_of_transformers_are_those_of_timm)
{
    static const char *const names[] = { "cls_token",
                                         "pos_embed",
                                         "patch_embed.proj.weight",
                                         "blocks.0.norm1.bias",
                                         "patch_embed.proj.bias",
                                         "blocks.0.attn.qkv.weight",
                                         "blocks.0.attn.qkv.bias",
                                         "blocks.0.attn.proj.weight",
                                         "blocks.0.norm2.weight",
                                         "blocks.0.mlp.fc1.bias",
                                         "blocks.1.mlp.fc2.weight",
                                         "norm.weight",
                                         "norm.bias",
                                         "head.weight",
                                         "head.bias",
                                         NULL };
    static const char *const others[] = { "blocks.2.norm1.weight", "blocks.0.attn.probs.weight",
                                          NULL };
    expect_values(TEST_FLOAT(TINY_VIT), names, true);
    expect_values(TEST_FLOAT(TINY_VIT), others, false);
}
END_TEST

/* Sites in graph order, as "name bits range groups;". */
static void print_sites(const dt_graph *g, char *text, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < g->node_count; i++) {
        if (!g->node[i].op->quantizes) continue;
        const dt_fakequant_conf *c = g->node[i].conf;
        used += (size_t)snprintf(text + used, size - used, "%s %s%d\n", g->node[i].name,
                                 c->site.is_signed ? "s" : "u", c->site.bits);
        ck_assert_uint_lt(used, size);
    }
}

static void expect_sites(const char *recipe, const char *want)
{
    test_net t;
    static char text[8000];
    test_net_open(&t, recipe, false);
    text[0] = '\0';
    print_sites(&t.net.graph, text, sizeof text);
    ck_assert_str_eq(text, want);
    test_net_close(&t);
}

/* The picture is signed and 8 bits wide, what follows a relu is unsigned, the last layer 8 bits. */
#define SMALL_CONVS                                                                                \
    "conv1.input_quant s8\nconv1.weight_quant s8\n"                                                \
    "conv2.input_quant u4\nconv2.weight_quant s4\n"                                                \
    "conv3.input_quant u4\nconv3.weight_quant s4\n"                                                \
    "conv4.input_quant u4\nconv4.weight_quant s4\n"                                                \
    "conv5.input_quant u4\nconv5.weight_quant s4\n"

START_TEST(sites_of_a_plain_net)
{
    expect_sites(TEST_LSQ("smallcnn", "paper"), SMALL_CONVS "fc.input_quant u8\n"
                                                            "fc.weight_quant s8\n");
    /* The linear's input lies on the pooling's 8-bit grid already. */
    expect_sites(TEST_LSQ("smallcnn", "deploy"), SMALL_CONVS "avgpool.input_quant u8\n"
                                                             "avgpool.output_quant u8\n"
                                                             "fc.weight_quant s8\n"
                                                             "fc.output_quant s8\n");
}
END_TEST

START_TEST(sites_of_a_transformer)
{
    expect_sites(TEST_LSQ("vit, dim: 24, depth: 1, heads: 2", "paper"),
                 "patch_embed.proj.input_quant s8\npatch_embed.proj.weight_quant s8\n"
                 "blocks.0.attn.qkv.input_quant s4\nblocks.0.attn.qkv.weight_quant s4\n"
                 "blocks.0.attn.q_quant s4\nblocks.0.attn.k_quant s4\nblocks.0.attn.v_quant s4\n"
                 "blocks.0.attn.probs_quant u4\n"
                 "blocks.0.attn.proj.input_quant s4\nblocks.0.attn.proj.weight_quant s4\n"
                 "blocks.0.mlp.fc1.input_quant s4\nblocks.0.mlp.fc1.weight_quant s4\n"
                 "blocks.0.mlp.fc2.input_quant s4\nblocks.0.mlp.fc2.weight_quant s4\n"
                 "head.input_quant s8\nhead.weight_quant s8\n");
    /* Also both inputs and the output of every addition, scores, inputs of GELU, and logits. */
    expect_sites(TEST_LSQ("vit, dim: 24, depth: 1, heads: 2", "deploy"),
                 "patch_embed.proj.input_quant s8\npatch_embed.proj.weight_quant s8\n"
                 "embed.branch_quant s8\nembed.skip_quant s8\nembed.output_quant s8\n"
                 "blocks.0.attn.qkv.input_quant s4\nblocks.0.attn.qkv.weight_quant s4\n"
                 "blocks.0.attn.q_quant s4\nblocks.0.attn.k_quant s4\nblocks.0.attn.v_quant s4\n"
                 "blocks.0.attn.scores_quant s8\nblocks.0.attn.probs_quant u4\n"
                 "blocks.0.attn.proj.input_quant s4\nblocks.0.attn.proj.weight_quant s4\n"
                 "blocks.0.add1.branch_quant s8\nblocks.0.add1.output_quant s8\n"
                 "blocks.0.mlp.fc1.input_quant s4\nblocks.0.mlp.fc1.weight_quant s4\n"
                 "blocks.0.mlp.act.input_quant s8\n"
                 "blocks.0.mlp.fc2.input_quant s4\nblocks.0.mlp.fc2.weight_quant s4\n"
                 "blocks.0.add2.branch_quant s8\nblocks.0.add2.output_quant s8\n"
                 "head.input_quant s8\nhead.weight_quant s8\nhead.output_quant s8\n");
}
END_TEST

/* The last block of a stage, of its three forms. */
static const char *find_part(const char *text, const char *part)
{
    const char *at = strstr(text, part);
    ck_assert_msg(at != NULL, "no part\n%sin\n%s", part, text);
    return at;
}

static int count_sites(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

START_TEST(sites_of_a_residual_net)
{
    test_net t;
    static char paper[8000], deploy[8000];
    test_net_open(&t, TEST_LSQ("resnet20", "paper"), false);
    print_sites(&t.net.graph, paper, sizeof paper);
    test_net_close(&t);
    test_net_open(&t, TEST_LSQ("resnet20", "deploy"), false);
    print_sites(&t.net.graph, deploy, sizeof deploy);
    test_net_close(&t);
    /* paper: input and weight of 19 convs and of the linear. */
    ck_assert_int_eq(count_sites(paper), 40);
    find_part(paper, "layer2.0.conv1.input_quant u4\nlayer2.0.conv1.weight_quant s4\n"
                     "layer2.0.conv2.input_quant u4\nlayer2.0.conv2.weight_quant s4\n"
                     "layer2.1.conv1.input_quant u4\n");
    ck_assert_ptr_null(strstr(paper, "skip"));
    /* deploy: also the stem, branch and output of 9 blocks, pooling, logits. The skip is the
     * stream's own 8-bit grid, padded with zeros between stages: it needs no site. The pooling's
     * input is the last stream, and the linear's input the pooling's output. */
    find_part(deploy,
              "conv1.weight_quant s8\nstem.output_quant u8\nlayer1.0.conv1.input_quant u4\n");
    find_part(deploy, "layer2.0.conv2.weight_quant s4\nlayer2.0.branch_quant s8\n"
                      "layer2.0.output_quant u8\nlayer2.1.conv1.input_quant u4\n");
    find_part(deploy, "layer3.2.output_quant u8\navgpool.output_quant u8\nlinear.weight_quant s8\n"
                      "linear.output_quant s8\n");
    ck_assert_ptr_null(strstr(deploy, "skip"));
    ck_assert_int_eq(count_sites(deploy), 40 - 1 + 1 + 2 * 9 + 1 + 1);
}
END_TEST

START_TEST(readers_of_one_value_share_a_site)
{
    /* A block with a conv shortcut reads the stream twice at 4 bits: one site, one scale. */
    test_net t;
    static char text[8000];
    test_net_open(&t,
                  "{model: {name: resnet20, shortcut: conv}, data: {name: builtin}, quant: "
                  "{placement: paper, weights: {method: lsq, bits: 4}, activations: {method: lsq, "
                  "bits: 4}}}",
                  false);
    print_sites(&t.net.graph, text, sizeof text);
    find_part(text, "layer2.0.conv2.weight_quant s4\nlayer2.0.downsample.0.weight_quant s4\n");
    ck_assert_ptr_null(strstr(text, "layer2.0.downsample.0.input_quant"));
    test_net_close(&t);
    /* Other bits: a site of its own. */
    test_net_open(&t,
                  "{model: {name: resnet20, shortcut: conv}, data: {name: builtin}, quant: "
                  "{placement: paper, weights: {method: lsq, bits: 4}, activations: {method: lsq, "
                  "bits: 4}, shortcut: {activations: 8}}}",
                  false);
    print_sites(&t.net.graph, text, sizeof text);
    find_part(text, "layer2.0.downsample.0.input_quant u8\n");
    test_net_close(&t);
    /* Published nets may have a scale for each reader. */
    test_net_open(&t,
                  "{model: {name: resnet20, shortcut: conv}, data: {name: builtin}, quant: "
                  "{placement: paper, share: false, weights: {method: lsq, bits: 4}, activations: "
                  "{method: lsq, bits: 4}}}",
                  false);
    print_sites(&t.net.graph, text, sizeof text);
    find_part(text, "layer2.0.downsample.0.input_quant u4\n");
    test_net_close(&t);
}
END_TEST

static void refused(const char *quant, const char *want)
{
    char text[600];
    dt_error err = { .status = DT_OK };
    dt_recipe *recipe;
    dt_net net;
    snprintf(text, sizeof text,
             "{model: {name: smallcnn}, data: {name: builtin}, quant: {placement: paper, first: "
             "none, last: none, %s}}",
             quant);
    const dt_recipe_params p = { .tables = &dt_tables, .path = "test.yaml", .text = text };
    const dt_net_input input = { .H = 32, .W = 32, .low = -2.5, .high = 2.5 };
    ck_assert_msg(dt_recipe_read(&p, &recipe, &err) == DT_OK, "%s", err.text);
    ck_assert_msg(dt_net_init(&net, recipe, &input, false, NULL, &err) != DT_OK, "%s", quant);
    ck_assert_str_eq(err.text, want);
    dt_recipe_free(recipe);
}

START_TEST(sites_refuse_with_their_name_and_the_rule)
{
    refused("weights: {method: lsq, granularity: group, group: 100}, activations: none",
            "conv2.weight_quant: groups of 100 do not divide the 144 elements of an output "
            "channel");
    refused("activations: {method: lsq, granularity: channel}, weights: none",
            "conv2: activations are quantized per tensor: a scale for each channel cannot leave "
            "the integer sum");
    refused("weights: {method: apot, bits: 8}, activations: none",
            "conv2.weight_quant: grid apot has no level set of 8 bits; signed sites have 2..7 "
            "(8-bit layers take 'maxabs' or 'lsq')");
    refused("weights: {method: apot, bits: 4, ste: ewgs}, activations: none",
            "conv2.weight_quant: ste ewgs needs a step that rounds; 'apot' looks levels up here");
    refused("weights: {method: lsq, ste: tanh, ste_strength: 2}, activations: none",
            "conv2.weight_quant: ste_strength 2 is outside 0.001..0.999, those of tanh");
    refused("activations: {method: lsqplus, init: lsq, config: signed_offset}, weights: none",
            "conv2.input_quant: init lsq knows no offset, which is learned here; take mse");
}
END_TEST

START_TEST(groups_follow_granularity)
{
    test_net t;
    test_net_open(&t,
                  "{model: {name: smallcnn}, data: {name: builtin}, quant: {weights: {method: lsq, "
                  "bits: 4, granularity: channel}, activations: {method: lsq, bits: 4}}}",
                  false);
    int64_t n;
    test_net_data(&t, "conv3.weight_quant.scale", &n);
    ck_assert_int_eq(n, 32);
    test_net_data(&t, "fc.weight_quant.scale", &n);
    ck_assert_int_eq(n, 10);
    test_net_data(&t, "conv3.input_quant.scale", &n);
    ck_assert_int_eq(n, 1);
    test_net_close(&t);
    /* conv3.weight is [32,3,3,32]: 288 elements a channel, in runs of 16. */
    test_net_open(&t,
                  "{model: {name: smallcnn}, data: {name: builtin}, quant: {weights: {method: lsq, "
                  "bits: 4, granularity: group, group: 16, domain: log}, activations: {method: "
                  "lsq, bits: 4}, first: none}}",
                  false);
    test_net_data(&t, "conv3.weight_quant.log_scale", &n);
    ck_assert_int_eq(n, 32 * 18);
    test_net_close(&t);
}
END_TEST

DT_TEST_MAIN("models", parameter_counts, names_of_transformers_are_those_of_timm,
             sites_of_a_transformer, names_are_those_of_published_checkpoints, sites_of_a_plain_net,
             sites_of_a_residual_net, readers_of_one_value_share_a_site, groups_follow_granularity,
             sites_refuse_with_their_name_and_the_rule)
