#pragma once
/* cmocka with the four headers it wants before it; every unit test includes only this and the
 * header it tests.
 */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
