/* Level sets of additive powers of two, of powers of two and without a zero, by
 * make_apot_levels.py. Unsigned sets have B bits, signed ones B magnitude bits; thresholds are
 * midpoints, ties go to the smaller magnitude. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FAKEQUANT_APOT_LEVELS_H
#define DT_FAKEQUANT_APOT_LEVELS_H

#include "core/compiler.h"

/* clang-format off */
static const int apot_u2_int[] = { 0, 1, 2, 4 };
static const real apot_u2_level[] = { 0, 1, 2, 4 };
static const real apot_u2_threshold[] = { (real)0.5, (real)1.5, (real)3 };
static const int apot_s2_int[] = { -4, -2, -1, 0, 1, 2, 4 };
static const real apot_s2_level[] = { -4, -2, -1, 0, 1, 2, 4 };
static const real apot_s2_threshold[] = { (real)-3.00000024, (real)-1.50000012, (real)-0.50000006, (real)0.5, (real)1.5, (real)3 };
static const int apot_u3_int[] = { 0, 1, 2, 3, 4, 6, 8, 10 };
static const real apot_u3_level[] = { 0, 1, 2, 3, 4, 6, 8, 10 };
static const real apot_u3_threshold[] = { (real)0.5, (real)1.5, (real)2.5, (real)3.5, (real)5, (real)7, (real)9 };
static const int apot_s3_int[] = { -10, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 10 };
static const real apot_s3_level[] = { -10, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 10 };
static const real apot_s3_threshold[] = { (real)-9.00000095, (real)-7.00000048, (real)-5.00000048, (real)-3.50000024, (real)-2.50000024, (real)-1.50000012, (real)-0.50000006, (real)0.5, (real)1.5, (real)2.5, (real)3.5, (real)5, (real)7, (real)9 };
static const int apot_u4_int[] = { 0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48 };
static const real apot_u4_level[] = { 0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48 };
static const real apot_u4_threshold[] = { (real)0.5, (real)1.5, (real)2.5, (real)3.5, (real)5, (real)7, (real)8.5, (real)10.5, (real)14, (real)17, (real)21, (real)28, (real)32.5, (real)34.5, (real)42 };
static const int apot_s4_int[] = { -48, -36, -33, -32, -24, -18, -16, -12, -9, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48 };
static const real apot_s4_level[] = { -48, -36, -33, -32, -24, -18, -16, -12, -9, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48 };
static const real apot_s4_threshold[] = { (real)-42.0000038, (real)-34.5000038, (real)-32.5000038, (real)-28.0000019, (real)-21.0000019, (real)-17.0000019, (real)-14.000001, (real)-10.500001, (real)-8.50000095, (real)-7.00000048, (real)-5.00000048, (real)-3.50000024, (real)-2.50000024, (real)-1.50000012, (real)-0.50000006, (real)0.5, (real)1.5, (real)2.5, (real)3.5, (real)5, (real)7, (real)8.5, (real)10.5, (real)14, (real)17, (real)21, (real)28, (real)32.5, (real)34.5, (real)42 };
static const int apot_u5_int[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 20, 21, 24, 28, 32, 34, 36, 38, 48, 52, 64, 65, 68, 69, 72, 76, 96, 100 };
static const real apot_u5_level[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 20, 21, 24, 28, 32, 34, 36, 38, 48, 52, 64, 65, 68, 69, 72, 76, 96, 100 };
static const real apot_u5_threshold[] = { (real)0.5, (real)1.5, (real)2.5, (real)3.5, (real)4.5, (real)5.5, (real)6.5, (real)7.5, (real)9, (real)11, (real)13, (real)15, (real)16.5, (real)18.5, (real)20.5, (real)22.5, (real)26, (real)30, (real)33, (real)35, (real)37, (real)43, (real)50, (real)58, (real)64.5, (real)66.5, (real)68.5, (real)70.5, (real)74, (real)86, (real)98 };
static const int apot_s5_int[] = { -100, -96, -76, -72, -69, -68, -65, -64, -52, -48, -38, -36, -34, -32, -28, -24, -21, -20, -17, -16, -14, -12, -10, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 20, 21, 24, 28, 32, 34, 36, 38, 48, 52, 64, 65, 68, 69, 72, 76, 96, 100 };
static const real apot_s5_level[] = { -100, -96, -76, -72, -69, -68, -65, -64, -52, -48, -38, -36, -34, -32, -28, -24, -21, -20, -17, -16, -14, -12, -10, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 20, 21, 24, 28, 32, 34, 36, 38, 48, 52, 64, 65, 68, 69, 72, 76, 96, 100 };
static const real apot_s5_threshold[] = { (real)-98.0000076, (real)-86.0000076, (real)-74.0000076, (real)-70.5000076, (real)-68.5000076, (real)-66.5000076, (real)-64.5000076, (real)-58.0000038, (real)-50.0000038, (real)-43.0000038, (real)-37.0000038, (real)-35.0000038, (real)-33.0000038, (real)-30.0000019, (real)-26.0000019, (real)-22.5000019, (real)-20.5000019, (real)-18.5000019, (real)-16.5000019, (real)-15.000001, (real)-13.000001, (real)-11.000001, (real)-9.00000095, (real)-7.50000048, (real)-6.50000048, (real)-5.50000048, (real)-4.50000048, (real)-3.50000024, (real)-2.50000024, (real)-1.50000012, (real)-0.50000006, (real)0.5, (real)1.5, (real)2.5, (real)3.5, (real)4.5, (real)5.5, (real)6.5, (real)7.5, (real)9, (real)11, (real)13, (real)15, (real)16.5, (real)18.5, (real)20.5, (real)22.5, (real)26, (real)30, (real)33, (real)35, (real)37, (real)43, (real)50, (real)58, (real)64.5, (real)66.5, (real)68.5, (real)70.5, (real)74, (real)86, (real)98 };
static const int apot_u6_int[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 20, 21, 24, 28, 32, 33, 34, 35, 40, 42, 48, 49, 56, 64, 66, 68, 70, 80, 84, 96, 98, 112, 128, 129, 132, 133, 136, 140, 160, 161, 168, 192, 196, 224, 256, 257, 258, 259, 264, 266, 272, 273, 280, 320, 322, 336, 384, 385, 392, 448 };
static const real apot_u6_level[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 20, 21, 24, 28, 32, 33, 34, 35, 40, 42, 48, 49, 56, 64, 66, 68, 70, 80, 84, 96, 98, 112, 128, 129, 132, 133, 136, 140, 160, 161, 168, 192, 196, 224, 256, 257, 258, 259, 264, 266, 272, 273, 280, 320, 322, 336, 384, 385, 392, 448 };
static const real apot_u6_threshold[] = { (real)0.5, (real)1.5, (real)2.5, (real)3.5, (real)4.5, (real)5.5, (real)6.5, (real)7.5, (real)9, (real)11, (real)13, (real)15, (real)16.5, (real)18.5, (real)20.5, (real)22.5, (real)26, (real)30, (real)32.5, (real)33.5, (real)34.5, (real)37.5, (real)41, (real)45, (real)48.5, (real)52.5, (real)60, (real)65, (real)67, (real)69, (real)75, (real)82, (real)90, (real)97, (real)105, (real)120, (real)128.5, (real)130.5, (real)132.5, (real)134.5, (real)138, (real)150, (real)160.5, (real)164.5, (real)180, (real)194, (real)210, (real)240, (real)256.5, (real)257.5, (real)258.5, (real)261.5, (real)265, (real)269, (real)272.5, (real)276.5, (real)300, (real)321, (real)329, (real)360, (real)384.5, (real)388.5, (real)420 };
static const int apot_s6_int[] = { -448, -392, -385, -384, -336, -322, -320, -280, -273, -272, -266, -264, -259, -258, -257, -256, -224, -196, -192, -168, -161, -160, -140, -136, -133, -132, -129, -128, -112, -98, -96, -84, -80, -70, -68, -66, -64, -56, -49, -48, -42, -40, -35, -34, -33, -32, -28, -24, -21, -20, -17, -16, -14, -12, -10, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 20, 21, 24, 28, 32, 33, 34, 35, 40, 42, 48, 49, 56, 64, 66, 68, 70, 80, 84, 96, 98, 112, 128, 129, 132, 133, 136, 140, 160, 161, 168, 192, 196, 224, 256, 257, 258, 259, 264, 266, 272, 273, 280, 320, 322, 336, 384, 385, 392, 448 };
static const real apot_s6_level[] = { -448, -392, -385, -384, -336, -322, -320, -280, -273, -272, -266, -264, -259, -258, -257, -256, -224, -196, -192, -168, -161, -160, -140, -136, -133, -132, -129, -128, -112, -98, -96, -84, -80, -70, -68, -66, -64, -56, -49, -48, -42, -40, -35, -34, -33, -32, -28, -24, -21, -20, -17, -16, -14, -12, -10, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 20, 21, 24, 28, 32, 33, 34, 35, 40, 42, 48, 49, 56, 64, 66, 68, 70, 80, 84, 96, 98, 112, 128, 129, 132, 133, 136, 140, 160, 161, 168, 192, 196, 224, 256, 257, 258, 259, 264, 266, 272, 273, 280, 320, 322, 336, 384, 385, 392, 448 };
static const real apot_s6_threshold[] = { (real)-420.000031, (real)-388.500031, (real)-384.500031, (real)-360.000031, (real)-329.000031, (real)-321.000031, (real)-300.000031, (real)-276.500031, (real)-272.500031, (real)-269.000031, (real)-265.000031, (real)-261.500031, (real)-258.500031, (real)-257.500031, (real)-256.500031, (real)-240.000015, (real)-210.000015, (real)-194.000015, (real)-180.000015, (real)-164.500015, (real)-160.500015, (real)-150.000015, (real)-138.000015, (real)-134.500015, (real)-132.500015, (real)-130.500015, (real)-128.500015, (real)-120.000008, (real)-105.000008, (real)-97.0000076, (real)-90.0000076, (real)-82.0000076, (real)-75.0000076, (real)-69.0000076, (real)-67.0000076, (real)-65.0000076, (real)-60.0000038, (real)-52.5000038, (real)-48.5000038, (real)-45.0000038, (real)-41.0000038, (real)-37.5000038, (real)-34.5000038, (real)-33.5000038, (real)-32.5000038, (real)-30.0000019, (real)-26.0000019, (real)-22.5000019, (real)-20.5000019, (real)-18.5000019, (real)-16.5000019, (real)-15.000001, (real)-13.000001, (real)-11.000001, (real)-9.00000095, (real)-7.50000048, (real)-6.50000048, (real)-5.50000048, (real)-4.50000048, (real)-3.50000024, (real)-2.50000024, (real)-1.50000012, (real)-0.50000006, (real)0.5, (real)1.5, (real)2.5, (real)3.5, (real)4.5, (real)5.5, (real)6.5, (real)7.5, (real)9, (real)11, (real)13, (real)15, (real)16.5, (real)18.5, (real)20.5, (real)22.5, (real)26, (real)30, (real)32.5, (real)33.5, (real)34.5, (real)37.5, (real)41, (real)45, (real)48.5, (real)52.5, (real)60, (real)65, (real)67, (real)69, (real)75, (real)82, (real)90, (real)97, (real)105, (real)120, (real)128.5, (real)130.5, (real)132.5, (real)134.5, (real)138, (real)150, (real)160.5, (real)164.5, (real)180, (real)194, (real)210, (real)240, (real)256.5, (real)257.5, (real)258.5, (real)261.5, (real)265, (real)269, (real)272.5, (real)276.5, (real)300, (real)321, (real)329, (real)360, (real)384.5, (real)388.5, (real)420 };
static const int pot_u2_int[] = { 0, 1, 2, 4 };
static const real pot_u2_level[] = { 0, 1, 2, 4 };
static const real pot_u2_threshold[] = { (real)0.5, (real)1.5, (real)3 };
static const int pot_s2_int[] = { -4, -2, -1, 0, 1, 2, 4 };
static const real pot_s2_level[] = { -4, -2, -1, 0, 1, 2, 4 };
static const real pot_s2_threshold[] = { (real)-3.00000024, (real)-1.50000012, (real)-0.50000006, (real)0.5, (real)1.5, (real)3 };
static const int pot_u3_int[] = { 0, 1, 2, 4, 8, 16, 32, 64 };
static const real pot_u3_level[] = { 0, 1, 2, 4, 8, 16, 32, 64 };
static const real pot_u3_threshold[] = { (real)0.5, (real)1.5, (real)3, (real)6, (real)12, (real)24, (real)48 };
static const int pot_s3_int[] = { -64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64 };
static const real pot_s3_level[] = { -64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64 };
static const real pot_s3_threshold[] = { (real)-48.0000038, (real)-24.0000019, (real)-12.000001, (real)-6.00000048, (real)-3.00000024, (real)-1.50000012, (real)-0.50000006, (real)0.5, (real)1.5, (real)3, (real)6, (real)12, (real)24, (real)48 };
static const int pot_u4_int[] = { 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384 };
static const real pot_u4_level[] = { 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384 };
static const real pot_u4_threshold[] = { (real)0.5, (real)1.5, (real)3, (real)6, (real)12, (real)24, (real)48, (real)96, (real)192, (real)384, (real)768, (real)1536, (real)3072, (real)6144, (real)12288 };
static const int pot_s4_int[] = { -16384, -8192, -4096, -2048, -1024, -512, -256, -128, -64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384 };
static const real pot_s4_level[] = { -16384, -8192, -4096, -2048, -1024, -512, -256, -128, -64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384 };
static const real pot_s4_threshold[] = { (real)-12288.001, (real)-6144.00049, (real)-3072.00024, (real)-1536.00012, (real)-768.000061, (real)-384.000031, (real)-192.000015, (real)-96.0000076, (real)-48.0000038, (real)-24.0000019, (real)-12.000001, (real)-6.00000048, (real)-3.00000024, (real)-1.50000012, (real)-0.50000006, (real)0.5, (real)1.5, (real)3, (real)6, (real)12, (real)24, (real)48, (real)96, (real)192, (real)384, (real)768, (real)1536, (real)3072, (real)6144, (real)12288 };
static const int pot_u5_int[] = { 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304, 8388608, 16777216, 33554432, 67108864, 134217728, 268435456, 536870912, 1073741824 };
static const real pot_u5_level[] = { 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304, 8388608, 16777216, 33554432, 67108864, 134217728, 268435456, 536870912, 1073741824 };
static const real pot_u5_threshold[] = { (real)0.5, (real)1.5, (real)3, (real)6, (real)12, (real)24, (real)48, (real)96, (real)192, (real)384, (real)768, (real)1536, (real)3072, (real)6144, (real)12288, (real)24576, (real)49152, (real)98304, (real)196608, (real)393216, (real)786432, (real)1572864, (real)3145728, (real)6291456, (real)12582912, (real)25165824, (real)50331648, (real)100663296, (real)201326592, (real)402653184, (real)805306368 };
static const int pot_s5_int[] = { -1073741824, -536870912, -268435456, -134217728, -67108864, -33554432, -16777216, -8388608, -4194304, -2097152, -1048576, -524288, -262144, -131072, -65536, -32768, -16384, -8192, -4096, -2048, -1024, -512, -256, -128, -64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304, 8388608, 16777216, 33554432, 67108864, 134217728, 268435456, 536870912, 1073741824 };
static const real pot_s5_level[] = { -1073741824, -536870912, -268435456, -134217728, -67108864, -33554432, -16777216, -8388608, -4194304, -2097152, -1048576, -524288, -262144, -131072, -65536, -32768, -16384, -8192, -4096, -2048, -1024, -512, -256, -128, -64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304, 8388608, 16777216, 33554432, 67108864, 134217728, 268435456, 536870912, 1073741824 };
static const real pot_s5_threshold[] = { (real)-805306432, (real)-402653216, (real)-201326608, (real)-100663304, (real)-50331652, (real)-25165826, (real)-12582913, (real)-6291456.5, (real)-3145728.25, (real)-1572864.12, (real)-786432.062, (real)-393216.031, (real)-196608.016, (real)-98304.0078, (real)-49152.0039, (real)-24576.002, (real)-12288.001, (real)-6144.00049, (real)-3072.00024, (real)-1536.00012, (real)-768.000061, (real)-384.000031, (real)-192.000015, (real)-96.0000076, (real)-48.0000038, (real)-24.0000019, (real)-12.000001, (real)-6.00000048, (real)-3.00000024, (real)-1.50000012, (real)-0.50000006, (real)0.5, (real)1.5, (real)3, (real)6, (real)12, (real)24, (real)48, (real)96, (real)192, (real)384, (real)768, (real)1536, (real)3072, (real)6144, (real)12288, (real)24576, (real)49152, (real)98304, (real)196608, (real)393216, (real)786432, (real)1572864, (real)3145728, (real)6291456, (real)12582912, (real)25165824, (real)50331648, (real)100663296, (real)201326592, (real)402653184, (real)805306368 };
static const int nonzero_1_int[] = { -2, -1, 1, 2 };
static const real nonzero_1_level[] = { -2, -1, 1, 2 };
static const real nonzero_1_threshold[] = { (real)-1.50000012, (real)0, (real)1.5 };
static const int nonzero_2_int[] = { -4, -1, 1, 4 };
static const real nonzero_2_level[] = { -4, -1, 1, 4 };
static const real nonzero_2_threshold[] = { (real)-2.50000024, (real)0, (real)2.5 };
static const int nonzero_3_int[] = { -8, -1, 1, 8 };
static const real nonzero_3_level[] = { -8, -1, 1, 8 };
static const real nonzero_3_threshold[] = { (real)-4.50000048, (real)0, (real)4.5 };
static const int nonzero_4_int[] = { -16, -1, 1, 16 };
static const real nonzero_4_level[] = { -16, -1, 1, 16 };
static const real nonzero_4_threshold[] = { (real)-8.50000095, (real)0, (real)8.5 };
static const int nonzero_5_int[] = { -32, -1, 1, 32 };
static const real nonzero_5_level[] = { -32, -1, 1, 32 };
static const real nonzero_5_threshold[] = { (real)-16.5000019, (real)0, (real)16.5 };
static const int nonzero_6_int[] = { -64, -1, 1, 64 };
static const real nonzero_6_level[] = { -64, -1, 1, 64 };
static const real nonzero_6_threshold[] = { (real)-32.5000038, (real)0, (real)32.5 };
static const int nonzero_7_int[] = { -128, -1, 1, 128 };
static const real nonzero_7_level[] = { -128, -1, 1, 128 };
static const real nonzero_7_threshold[] = { (real)-64.5000076, (real)0, (real)64.5 };
static const int nonzero_8_int[] = { -256, -1, 1, 256 };
static const real nonzero_8_level[] = { -256, -1, 1, 256 };
static const real nonzero_8_threshold[] = { (real)-128.500015, (real)0, (real)128.5 };
static const int nonzero_9_int[] = { -512, -1, 1, 512 };
static const real nonzero_9_level[] = { -512, -1, 1, 512 };
static const real nonzero_9_threshold[] = { (real)-256.500031, (real)0, (real)256.5 };
static const int nonzero_10_int[] = { -1024, -1, 1, 1024 };
static const real nonzero_10_level[] = { -1024, -1, 1, 1024 };
static const real nonzero_10_threshold[] = { (real)-512.500061, (real)0, (real)512.5 };
static const int nonzero_11_int[] = { -2048, -1, 1, 2048 };
static const real nonzero_11_level[] = { -2048, -1, 1, 2048 };
static const real nonzero_11_threshold[] = { (real)-1024.50012, (real)0, (real)1024.5 };
static const int nonzero_12_int[] = { -4096, -1, 1, 4096 };
static const real nonzero_12_level[] = { -4096, -1, 1, 4096 };
static const real nonzero_12_threshold[] = { (real)-2048.50024, (real)0, (real)2048.5 };
static const int nonzero_13_int[] = { -8192, -1, 1, 8192 };
static const real nonzero_13_level[] = { -8192, -1, 1, 8192 };
static const real nonzero_13_threshold[] = { (real)-4096.50049, (real)0, (real)4096.5 };
static const int nonzero_14_int[] = { -16384, -1, 1, 16384 };
static const real nonzero_14_level[] = { -16384, -1, 1, 16384 };
static const real nonzero_14_threshold[] = { (real)-8192.50098, (real)0, (real)8192.5 };
static const int nonzero_15_int[] = { -32768, -1, 1, 32768 };
static const real nonzero_15_level[] = { -32768, -1, 1, 32768 };
static const real nonzero_15_threshold[] = { (real)-16384.502, (real)0, (real)16384.5 };
static const int nonzero_16_int[] = { -65536, -1, 1, 65536 };
static const real nonzero_16_level[] = { -65536, -1, 1, 65536 };
static const real nonzero_16_threshold[] = { (real)-32768.5039, (real)0, (real)32768.5 };
static const int nonzero_17_int[] = { -131072, -1, 1, 131072 };
static const real nonzero_17_level[] = { -131072, -1, 1, 131072 };
static const real nonzero_17_threshold[] = { (real)-65536.5078, (real)0, (real)65536.5 };
static const int nonzero_18_int[] = { -262144, -1, 1, 262144 };
static const real nonzero_18_level[] = { -262144, -1, 1, 262144 };
static const real nonzero_18_threshold[] = { (real)-131072.516, (real)0, (real)131072.5 };
static const int nonzero_19_int[] = { -524288, -1, 1, 524288 };
static const real nonzero_19_level[] = { -524288, -1, 1, 524288 };
static const real nonzero_19_threshold[] = { (real)-262144.531, (real)0, (real)262144.5 };
static const int nonzero_20_int[] = { -1048576, -1, 1, 1048576 };
static const real nonzero_20_level[] = { -1048576, -1, 1, 1048576 };
static const real nonzero_20_threshold[] = { (real)-524288.562, (real)0, (real)524288.5 };
/* clang-format on */

#endif
