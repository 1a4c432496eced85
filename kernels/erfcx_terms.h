/* Made by make_erfcx.py: exp(z^2) erfc(z) for z >= 0 is the sum of ERFCX[i] t^i with
 * t = (z - 2) / (z + 2). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_ERFCX_TERMS_H
#define DT_KERNELS_ERFCX_TERMS_H

#include "core/compiler.h"

#ifndef DT_REAL_DOUBLE
/* relative error 1.9e-8 */
enum { ERFCX_DEGREE = 11 };
static const real ERFCX[ERFCX_DEGREE + 1] = {
    (real)2.55395679e-1,
    (real)-4.27185849e-1,
    (real)2.41657999e-1,
    (real)-7.89784817e-2,
    (real)3.73523938e-3,
    (real)6.9963076e-3,
    (real)-8.57754468e-4,
    (real)-9.77097215e-4,
    (real)6.63354703e-5,
    (real)1.65174053e-4,
    (real)2.50371733e-6,
    (real)-2.00552701e-5,
};
#endif
#ifdef DT_REAL_DOUBLE
/* relative error 1.1e-15 */
enum { ERFCX_DEGREE = 24 };
static const real ERFCX[ERFCX_DEGREE + 1] = {
    (real)2.553956763105057439e-1,
    (real)-4.27185847413960682e-1,
    (real)2.416581942424660069e-1,
    (real)-7.897858101549455523e-2,
    (real)3.732892404381572509e-3,
    (real)6.997461731903070184e-3,
    (real)-8.471432531497151352e-4,
    (real)-9.819769236071149732e-4,
    (real)4.355565367137016439e-5,
    (real)1.743603686783455349e-4,
    (real)2.75247122402269774e-5,
    (real)-2.757609328342257028e-5,
    (real)-1.39606883773391682e-5,
    (real)1.379339039267437412e-6,
    (real)3.746797123027199613e-6,
    (real)1.22491185536320719e-6,
    (real)-4.055023060738077279e-7,
    (real)-5.502623832912265076e-7,
    (real)-1.518866030493266526e-7,
    (real)1.14761088062097288e-7,
    (real)9.063081561360245328e-8,
    (real)-8.842816397451404475e-9,
    (real)-2.162380856181366866e-8,
    (real)-5.610187124745503206e-10,
    (real)2.203041179555866281e-9,
};
#endif

#endif
