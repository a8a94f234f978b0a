#include "engine/micro.h"

#include <stdatomic.h>

/* What changes here: the limit of micro_force, and what the processor has, once it was asked. */
static _Atomic int forced = MICRO_SETS;
static _Atomic int found = -1;

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool micro_has_bf16(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
}

const struct micro *micro_of(enum micro_set set, enum micro_type type)
{
    bool is_bf16 = type == MICRO_BF16;
    switch (set) {
    case MICRO_C: return is_bf16 ? &micro_c_bf16 : &micro_c_f32;
    case MICRO_AVX2: return !has_avx2() ? NULL : is_bf16 ? &micro_avx2_bf16 : &micro_avx2_f32;
    case MICRO_AVX512:
        return !has_avx512() ? NULL : is_bf16 ? &micro_avx512_bf16 : &micro_avx512_f32;
    case MICRO_AVX512_BF16: return is_bf16 && micro_has_bf16() ? &micro_avx512_bf16_hw : NULL;
    case MICRO_SETS: break;
    }
    return NULL;
}
#else
bool micro_has_bf16(void)
{
    return false;
}

const struct micro *micro_of(enum micro_set set, enum micro_type type)
{
    if (set != MICRO_C) return NULL;
    return type == MICRO_BF16 ? &micro_c_bf16 : &micro_c_f32;
}
#endif

static enum micro_set find_level(void)
{
    for (int set = MICRO_SETS - 1; set > MICRO_C; set--)
        if (micro_of((enum micro_set)set, MICRO_BF16)) return (enum micro_set)set;
    return MICRO_C;
}

enum micro_set micro_level(void)
{
    int has = atomic_load_explicit(&found, memory_order_relaxed);
    int most = atomic_load_explicit(&forced, memory_order_relaxed);
    if (has < 0) {
        has = (int)find_level();
        atomic_store_explicit(&found, has, memory_order_relaxed);
    }
    return (enum micro_set)(has < most ? has : most);
}

const struct micro *micro_best(enum micro_type type)
{
    for (int set = (int)micro_level(); set > MICRO_C; set--) {
        const struct micro *m = micro_of((enum micro_set)set, type);
        if (m) return m;
    }
    return micro_of(MICRO_C, type);
}

void micro_force(enum micro_set set)
{
    atomic_store(&forced, (int)set);
}
