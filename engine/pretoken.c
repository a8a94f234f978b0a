#include "engine/pretoken.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

enum kind { OTHER, LETTER, NUMBER, SPACE };

/* Runs of letters and numbers above ASCII: first code point, and how many follow it, times two,
 * plus one for numbers. From the Unicode Character Database by tests/ref/pretoken_table.py.
 */
struct run {
    uint32_t first;
    uint32_t more;
};

/* clang-format off */
static const struct run RUNS[] = { /* Unicode 16.0.0: 818 runs */
    {0xAA, 0}, {0xB2, 3}, {0xB5, 0}, {0xB9, 1}, {0xBA, 0}, {0xBC, 5}, {0xC0, 44}, {0xD8, 60},
    {0xF8, 914}, {0x2C6, 22}, {0x2E0, 8}, {0x2EC, 0}, {0x2EE, 0}, {0x370, 8}, {0x376, 2},
    {0x37A, 6}, {0x37F, 0}, {0x386, 0}, {0x388, 4}, {0x38C, 0}, {0x38E, 38}, {0x3A3, 164},
    {0x3F7, 276}, {0x48A, 330}, {0x531, 74}, {0x559, 0}, {0x560, 80}, {0x5D0, 52}, {0x5EF, 6},
    {0x620, 84}, {0x660, 19}, {0x66E, 2}, {0x671, 196}, {0x6D5, 0}, {0x6E5, 2}, {0x6EE, 2},
    {0x6F0, 19}, {0x6FA, 4}, {0x6FF, 0}, {0x710, 0}, {0x712, 58}, {0x74D, 176}, {0x7B1, 0},
    {0x7C0, 19}, {0x7CA, 64}, {0x7F4, 2}, {0x7FA, 0}, {0x800, 42}, {0x81A, 0}, {0x824, 0},
    {0x828, 0}, {0x840, 48}, {0x860, 20}, {0x870, 46}, {0x889, 10}, {0x8A0, 82}, {0x904, 106},
    {0x93D, 0}, {0x950, 0}, {0x958, 18}, {0x966, 19}, {0x971, 30}, {0x985, 14}, {0x98F, 2},
    {0x993, 42}, {0x9AA, 12}, {0x9B2, 0}, {0x9B6, 6}, {0x9BD, 0}, {0x9CE, 0}, {0x9DC, 2},
    {0x9DF, 4}, {0x9E6, 19}, {0x9F0, 2}, {0x9F4, 11}, {0x9FC, 0}, {0xA05, 10}, {0xA0F, 2},
    {0xA13, 42}, {0xA2A, 12}, {0xA32, 2}, {0xA35, 2}, {0xA38, 2}, {0xA59, 6}, {0xA5E, 0},
    {0xA66, 19}, {0xA72, 4}, {0xA85, 16}, {0xA8F, 4}, {0xA93, 42}, {0xAAA, 12}, {0xAB2, 2},
    {0xAB5, 8}, {0xABD, 0}, {0xAD0, 0}, {0xAE0, 2}, {0xAE6, 19}, {0xAF9, 0}, {0xB05, 14},
    {0xB0F, 2}, {0xB13, 42}, {0xB2A, 12}, {0xB32, 2}, {0xB35, 8}, {0xB3D, 0}, {0xB5C, 2},
    {0xB5F, 4}, {0xB66, 19}, {0xB71, 0}, {0xB72, 11}, {0xB83, 0}, {0xB85, 10}, {0xB8E, 4},
    {0xB92, 6}, {0xB99, 2}, {0xB9C, 0}, {0xB9E, 2}, {0xBA3, 2}, {0xBA8, 4}, {0xBAE, 22}, {0xBD0, 0},
    {0xBE6, 25}, {0xC05, 14}, {0xC0E, 4}, {0xC12, 44}, {0xC2A, 30}, {0xC3D, 0}, {0xC58, 4},
    {0xC5D, 0}, {0xC60, 2}, {0xC66, 19}, {0xC78, 13}, {0xC80, 0}, {0xC85, 14}, {0xC8E, 4},
    {0xC92, 44}, {0xCAA, 18}, {0xCB5, 8}, {0xCBD, 0}, {0xCDD, 2}, {0xCE0, 2}, {0xCE6, 19},
    {0xCF1, 2}, {0xD04, 16}, {0xD0E, 4}, {0xD12, 80}, {0xD3D, 0}, {0xD4E, 0}, {0xD54, 4},
    {0xD58, 13}, {0xD5F, 4}, {0xD66, 37}, {0xD7A, 10}, {0xD85, 34}, {0xD9A, 46}, {0xDB3, 16},
    {0xDBD, 0}, {0xDC0, 12}, {0xDE6, 19}, {0xE01, 94}, {0xE32, 2}, {0xE40, 12}, {0xE50, 19},
    {0xE81, 2}, {0xE84, 0}, {0xE86, 8}, {0xE8C, 46}, {0xEA5, 0}, {0xEA7, 18}, {0xEB2, 2},
    {0xEBD, 0}, {0xEC0, 8}, {0xEC6, 0}, {0xED0, 19}, {0xEDC, 6}, {0xF00, 0}, {0xF20, 39},
    {0xF40, 14}, {0xF49, 70}, {0xF88, 8}, {0x1000, 84}, {0x103F, 0}, {0x1040, 19}, {0x1050, 10},
    {0x105A, 6}, {0x1061, 0}, {0x1065, 2}, {0x106E, 4}, {0x1075, 24}, {0x108E, 0}, {0x1090, 19},
    {0x10A0, 74}, {0x10C7, 0}, {0x10CD, 0}, {0x10D0, 84}, {0x10FC, 664}, {0x124A, 6}, {0x1250, 12},
    {0x1258, 0}, {0x125A, 6}, {0x1260, 80}, {0x128A, 6}, {0x1290, 64}, {0x12B2, 6}, {0x12B8, 12},
    {0x12C0, 0}, {0x12C2, 6}, {0x12C8, 28}, {0x12D8, 112}, {0x1312, 6}, {0x1318, 132}, {0x1369, 39},
    {0x1380, 30}, {0x13A0, 170}, {0x13F8, 10}, {0x1401, 1238}, {0x166F, 32}, {0x1681, 50},
    {0x16A0, 148}, {0x16EE, 5}, {0x16F1, 14}, {0x1700, 34}, {0x171F, 36}, {0x1740, 34},
    {0x1760, 24}, {0x176E, 4}, {0x1780, 102}, {0x17D7, 0}, {0x17DC, 0}, {0x17E0, 19}, {0x17F0, 19},
    {0x1810, 19}, {0x1820, 176}, {0x1880, 8}, {0x1887, 66}, {0x18AA, 0}, {0x18B0, 138},
    {0x1900, 60}, {0x1946, 19}, {0x1950, 58}, {0x1970, 8}, {0x1980, 86}, {0x19B0, 50}, {0x19D0, 21},
    {0x1A00, 44}, {0x1A20, 104}, {0x1A80, 19}, {0x1A90, 19}, {0x1AA7, 0}, {0x1B05, 92},
    {0x1B45, 14}, {0x1B50, 19}, {0x1B83, 58}, {0x1BAE, 2}, {0x1BB0, 19}, {0x1BBA, 86}, {0x1C00, 70},
    {0x1C40, 19}, {0x1C4D, 4}, {0x1C50, 19}, {0x1C5A, 70}, {0x1C80, 20}, {0x1C90, 84}, {0x1CBD, 4},
    {0x1CE9, 6}, {0x1CEE, 10}, {0x1CF5, 2}, {0x1CFA, 0}, {0x1D00, 382}, {0x1E00, 554}, {0x1F18, 10},
    {0x1F20, 74}, {0x1F48, 10}, {0x1F50, 14}, {0x1F59, 0}, {0x1F5B, 0}, {0x1F5D, 0}, {0x1F5F, 60},
    {0x1F80, 104}, {0x1FB6, 12}, {0x1FBE, 0}, {0x1FC2, 4}, {0x1FC6, 12}, {0x1FD0, 6}, {0x1FD6, 10},
    {0x1FE0, 24}, {0x1FF2, 4}, {0x1FF6, 12}, {0x2070, 1}, {0x2071, 0}, {0x2074, 11}, {0x207F, 0},
    {0x2080, 19}, {0x2090, 24}, {0x2102, 0}, {0x2107, 0}, {0x210A, 18}, {0x2115, 0}, {0x2119, 8},
    {0x2124, 0}, {0x2126, 0}, {0x2128, 0}, {0x212A, 6}, {0x212F, 20}, {0x213C, 6}, {0x2145, 8},
    {0x214E, 0}, {0x2150, 101}, {0x2183, 2}, {0x2185, 9}, {0x2460, 119}, {0x24EA, 43}, {0x2776, 59},
    {0x2C00, 456}, {0x2CEB, 6}, {0x2CF2, 2}, {0x2CFD, 1}, {0x2D00, 74}, {0x2D27, 0}, {0x2D2D, 0},
    {0x2D30, 110}, {0x2D6F, 0}, {0x2D80, 44}, {0x2DA0, 12}, {0x2DA8, 12}, {0x2DB0, 12},
    {0x2DB8, 12}, {0x2DC0, 12}, {0x2DC8, 12}, {0x2DD0, 12}, {0x2DD8, 12}, {0x2E2F, 0}, {0x3005, 2},
    {0x3007, 1}, {0x3021, 17}, {0x3031, 8}, {0x3038, 5}, {0x303B, 2}, {0x3041, 170}, {0x309D, 4},
    {0x30A1, 178}, {0x30FC, 6}, {0x3105, 84}, {0x3131, 186}, {0x3192, 7}, {0x31A0, 62},
    {0x31F0, 30}, {0x3220, 19}, {0x3248, 15}, {0x3251, 29}, {0x3280, 19}, {0x32B1, 29},
    {0x3400, 13182}, {0x4E00, 44312}, {0xA4D0, 90}, {0xA500, 536}, {0xA610, 30}, {0xA620, 19},
    {0xA62A, 2}, {0xA640, 92}, {0xA67F, 60}, {0xA6A0, 138}, {0xA6E6, 19}, {0xA717, 16},
    {0xA722, 204}, {0xA78B, 132}, {0xA7D0, 2}, {0xA7D3, 0}, {0xA7D5, 14}, {0xA7F2, 30}, {0xA803, 4},
    {0xA807, 6}, {0xA80C, 44}, {0xA830, 11}, {0xA840, 102}, {0xA882, 98}, {0xA8D0, 19},
    {0xA8F2, 10}, {0xA8FB, 0}, {0xA8FD, 2}, {0xA900, 19}, {0xA90A, 54}, {0xA930, 44}, {0xA960, 56},
    {0xA984, 92}, {0xA9CF, 0}, {0xA9D0, 19}, {0xA9E0, 8}, {0xA9E6, 18}, {0xA9F0, 19}, {0xA9FA, 8},
    {0xAA00, 80}, {0xAA40, 4}, {0xAA44, 14}, {0xAA50, 19}, {0xAA60, 44}, {0xAA7A, 0}, {0xAA7E, 98},
    {0xAAB1, 0}, {0xAAB5, 2}, {0xAAB9, 8}, {0xAAC0, 0}, {0xAAC2, 0}, {0xAADB, 4}, {0xAAE0, 20},
    {0xAAF2, 4}, {0xAB01, 10}, {0xAB09, 10}, {0xAB11, 10}, {0xAB20, 12}, {0xAB28, 12}, {0xAB30, 84},
    {0xAB5C, 26}, {0xAB70, 228}, {0xABF0, 19}, {0xAC00, 22342}, {0xD7B0, 44}, {0xD7CB, 96},
    {0xF900, 730}, {0xFA70, 210}, {0xFB00, 12}, {0xFB13, 8}, {0xFB1D, 0}, {0xFB1F, 18},
    {0xFB2A, 24}, {0xFB38, 8}, {0xFB3E, 0}, {0xFB40, 2}, {0xFB43, 2}, {0xFB46, 214}, {0xFBD3, 724},
    {0xFD50, 126}, {0xFD92, 106}, {0xFDF0, 22}, {0xFE70, 8}, {0xFE76, 268}, {0xFF10, 19},
    {0xFF21, 50}, {0xFF41, 50}, {0xFF66, 176}, {0xFFC2, 10}, {0xFFCA, 10}, {0xFFD2, 10},
    {0xFFDA, 4}, {0x10000, 22}, {0x1000D, 50}, {0x10028, 36}, {0x1003C, 2}, {0x1003F, 28},
    {0x10050, 26}, {0x10080, 244}, {0x10107, 89}, {0x10140, 113}, {0x1018A, 3}, {0x10280, 56},
    {0x102A0, 96}, {0x102E1, 53}, {0x10300, 62}, {0x10320, 7}, {0x1032D, 38}, {0x10341, 1},
    {0x10342, 14}, {0x1034A, 1}, {0x10350, 74}, {0x10380, 58}, {0x103A0, 70}, {0x103C8, 14},
    {0x103D1, 9}, {0x10400, 314}, {0x104A0, 19}, {0x104B0, 70}, {0x104D8, 70}, {0x10500, 78},
    {0x10530, 102}, {0x10570, 20}, {0x1057C, 28}, {0x1058C, 12}, {0x10594, 2}, {0x10597, 20},
    {0x105A3, 28}, {0x105B3, 12}, {0x105BB, 2}, {0x105C0, 102}, {0x10600, 620}, {0x10740, 42},
    {0x10760, 14}, {0x10780, 10}, {0x10787, 82}, {0x107B2, 16}, {0x10800, 10}, {0x10808, 0},
    {0x1080A, 86}, {0x10837, 2}, {0x1083C, 0}, {0x1083F, 44}, {0x10858, 15}, {0x10860, 44},
    {0x10879, 13}, {0x10880, 60}, {0x108A7, 17}, {0x108E0, 36}, {0x108F4, 2}, {0x108FB, 9},
    {0x10900, 42}, {0x10916, 11}, {0x10920, 50}, {0x10980, 110}, {0x109BC, 3}, {0x109BE, 2},
    {0x109C0, 31}, {0x109D2, 91}, {0x10A00, 0}, {0x10A10, 6}, {0x10A15, 4}, {0x10A19, 56},
    {0x10A40, 17}, {0x10A60, 56}, {0x10A7D, 3}, {0x10A80, 56}, {0x10A9D, 5}, {0x10AC0, 14},
    {0x10AC9, 54}, {0x10AEB, 9}, {0x10B00, 106}, {0x10B40, 42}, {0x10B58, 15}, {0x10B60, 36},
    {0x10B78, 15}, {0x10B80, 34}, {0x10BA9, 13}, {0x10C00, 144}, {0x10C80, 100}, {0x10CC0, 100},
    {0x10CFA, 11}, {0x10D00, 70}, {0x10D30, 19}, {0x10D40, 19}, {0x10D4A, 54}, {0x10D6F, 44},
    {0x10E60, 61}, {0x10E80, 82}, {0x10EB0, 2}, {0x10EC2, 4}, {0x10F00, 56}, {0x10F1D, 19},
    {0x10F27, 0}, {0x10F30, 42}, {0x10F51, 7}, {0x10F70, 34}, {0x10FB0, 40}, {0x10FC5, 13},
    {0x10FE0, 44}, {0x11003, 104}, {0x11052, 59}, {0x11071, 2}, {0x11075, 0}, {0x11083, 88},
    {0x110D0, 48}, {0x110F0, 19}, {0x11103, 70}, {0x11136, 19}, {0x11144, 0}, {0x11147, 0},
    {0x11150, 68}, {0x11176, 0}, {0x11183, 94}, {0x111C1, 6}, {0x111D0, 19}, {0x111DA, 0},
    {0x111DC, 0}, {0x111E1, 39}, {0x11200, 34}, {0x11213, 48}, {0x1123F, 2}, {0x11280, 12},
    {0x11288, 0}, {0x1128A, 6}, {0x1128F, 28}, {0x1129F, 18}, {0x112B0, 92}, {0x112F0, 19},
    {0x11305, 14}, {0x1130F, 2}, {0x11313, 42}, {0x1132A, 12}, {0x11332, 2}, {0x11335, 8},
    {0x1133D, 0}, {0x11350, 0}, {0x1135D, 8}, {0x11380, 18}, {0x1138B, 0}, {0x1138E, 0},
    {0x11390, 74}, {0x113B7, 0}, {0x113D1, 0}, {0x113D3, 0}, {0x11400, 104}, {0x11447, 6},
    {0x11450, 19}, {0x1145F, 4}, {0x11480, 94}, {0x114C4, 2}, {0x114C7, 0}, {0x114D0, 19},
    {0x11580, 92}, {0x115D8, 6}, {0x11600, 94}, {0x11644, 0}, {0x11650, 19}, {0x11680, 84},
    {0x116B8, 0}, {0x116C0, 19}, {0x116D0, 39}, {0x11700, 52}, {0x11730, 23}, {0x11740, 12},
    {0x11800, 86}, {0x118A0, 126}, {0x118E0, 37}, {0x118FF, 14}, {0x11909, 0}, {0x1190C, 14},
    {0x11915, 2}, {0x11918, 46}, {0x1193F, 0}, {0x11941, 0}, {0x11950, 19}, {0x119A0, 14},
    {0x119AA, 76}, {0x119E1, 0}, {0x119E3, 0}, {0x11A00, 0}, {0x11A0B, 78}, {0x11A3A, 0},
    {0x11A50, 0}, {0x11A5C, 90}, {0x11A9D, 0}, {0x11AB0, 144}, {0x11BC0, 64}, {0x11BF0, 19},
    {0x11C00, 16}, {0x11C0A, 72}, {0x11C40, 0}, {0x11C50, 57}, {0x11C72, 58}, {0x11D00, 12},
    {0x11D08, 2}, {0x11D0B, 74}, {0x11D46, 0}, {0x11D50, 19}, {0x11D60, 10}, {0x11D67, 2},
    {0x11D6A, 62}, {0x11D98, 0}, {0x11DA0, 19}, {0x11EE0, 36}, {0x11F02, 0}, {0x11F04, 24},
    {0x11F12, 66}, {0x11F50, 19}, {0x11FB0, 0}, {0x11FC0, 41}, {0x12000, 1842}, {0x12400, 221},
    {0x12480, 390}, {0x12F90, 192}, {0x13000, 2142}, {0x13441, 10}, {0x13460, 7988},
    {0x14400, 1164}, {0x16100, 58}, {0x16130, 19}, {0x16800, 1136}, {0x16A40, 60}, {0x16A60, 19},
    {0x16A70, 156}, {0x16AC0, 19}, {0x16AD0, 58}, {0x16B00, 94}, {0x16B40, 6}, {0x16B50, 19},
    {0x16B5B, 13}, {0x16B63, 40}, {0x16B7D, 36}, {0x16D40, 88}, {0x16D70, 19}, {0x16E40, 126},
    {0x16E80, 45}, {0x16F00, 148}, {0x16F50, 0}, {0x16F93, 24}, {0x16FE0, 2}, {0x16FE3, 0},
    {0x17000, 12270}, {0x18800, 2474}, {0x18CFF, 18}, {0x1AFF0, 6}, {0x1AFF5, 12}, {0x1AFFD, 2},
    {0x1B000, 580}, {0x1B132, 0}, {0x1B150, 4}, {0x1B155, 0}, {0x1B164, 6}, {0x1B170, 790},
    {0x1BC00, 212}, {0x1BC70, 24}, {0x1BC80, 16}, {0x1BC90, 18}, {0x1CCF0, 19}, {0x1D2C0, 39},
    {0x1D2E0, 39}, {0x1D360, 49}, {0x1D400, 168}, {0x1D456, 140}, {0x1D49E, 2}, {0x1D4A2, 0},
    {0x1D4A5, 2}, {0x1D4A9, 6}, {0x1D4AE, 22}, {0x1D4BB, 0}, {0x1D4BD, 12}, {0x1D4C5, 128},
    {0x1D507, 6}, {0x1D50D, 14}, {0x1D516, 12}, {0x1D51E, 54}, {0x1D53B, 6}, {0x1D540, 8},
    {0x1D546, 0}, {0x1D54A, 12}, {0x1D552, 678}, {0x1D6A8, 48}, {0x1D6C2, 48}, {0x1D6DC, 60},
    {0x1D6FC, 48}, {0x1D716, 60}, {0x1D736, 48}, {0x1D750, 60}, {0x1D770, 48}, {0x1D78A, 60},
    {0x1D7AA, 48}, {0x1D7C4, 14}, {0x1D7CE, 99}, {0x1DF00, 60}, {0x1DF25, 10}, {0x1E030, 122},
    {0x1E100, 88}, {0x1E137, 12}, {0x1E140, 19}, {0x1E14E, 0}, {0x1E290, 58}, {0x1E2C0, 86},
    {0x1E2F0, 19}, {0x1E4D0, 54}, {0x1E4F0, 19}, {0x1E5D0, 58}, {0x1E5F0, 0}, {0x1E5F1, 19},
    {0x1E7E0, 12}, {0x1E7E8, 6}, {0x1E7ED, 2}, {0x1E7F0, 28}, {0x1E800, 392}, {0x1E8C7, 17},
    {0x1E900, 134}, {0x1E94B, 0}, {0x1E950, 19}, {0x1EC71, 117}, {0x1ECAD, 5}, {0x1ECB1, 7},
    {0x1ED01, 89}, {0x1ED2F, 29}, {0x1EE00, 6}, {0x1EE05, 52}, {0x1EE21, 2}, {0x1EE24, 0},
    {0x1EE27, 0}, {0x1EE29, 18}, {0x1EE34, 6}, {0x1EE39, 0}, {0x1EE3B, 0}, {0x1EE42, 0},
    {0x1EE47, 0}, {0x1EE49, 0}, {0x1EE4B, 0}, {0x1EE4D, 4}, {0x1EE51, 2}, {0x1EE54, 0},
    {0x1EE57, 0}, {0x1EE59, 0}, {0x1EE5B, 0}, {0x1EE5D, 0}, {0x1EE5F, 0}, {0x1EE61, 2},
    {0x1EE64, 0}, {0x1EE67, 6}, {0x1EE6C, 12}, {0x1EE74, 6}, {0x1EE79, 6}, {0x1EE7E, 0},
    {0x1EE80, 18}, {0x1EE8B, 32}, {0x1EEA1, 4}, {0x1EEA5, 8}, {0x1EEAB, 32}, {0x1F100, 25},
    {0x1FBF0, 19}, {0x20000, 85438}, {0x2A700, 8306}, {0x2B740, 442}, {0x2B820, 11522},
    {0x2CEB0, 14944}, {0x2EBF0, 1242}, {0x2F800, 1082}, {0x30000, 9876}, {0x31350, 8382},
};
/* clang-format on */

static bool is_space(uint32_t cp)
{
    return cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) ||
           cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

/* Above ASCII. */
static enum kind kind_of(uint32_t cp)
{
    if (is_space(cp)) return SPACE;
    size_t lo = 0;
    size_t hi = sizeof RUNS / sizeof RUNS[0];
    while (lo < hi) { /* the first run that begins behind cp */
        size_t mid = (lo + hi) / 2;
        if (RUNS[mid].first <= cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0 || cp - RUNS[lo - 1].first > RUNS[lo - 1].more >> 1) return OTHER;
    return RUNS[lo - 1].more & 1 ? NUMBER : LETTER;
}

/* clang-format off */
static const uint8_t ASCII[128] = { /* enum kind */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0,
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
};
/* clang-format on */

/* Kind and length of the character at p[n], n > 0. */
static inline enum kind kind_at(const uint8_t *p, size_t n, size_t *ret_len)
{
    uint32_t cp = p[0];
    *ret_len = 1;
    if (cp < 128) return (enum kind)ASCII[cp];
    size_t len = utf8_decode(p, n, &cp);
    if (len == 0) return OTHER;
    *ret_len = len;
    return kind_of(cp);
}

/* What follows an apostrophe in a contraction: its bytes with the apostrophe, or 0. In either case
 * when any_case is set, and then the long s counts as an s: Unicode's case folding says so.
 */
static size_t contraction(const uint8_t *p, size_t n, bool any_case)
{
    if (n < 2 || p[0] != '\'') return 0;
    const uint8_t fold = any_case ? 32 : 0;
    const uint8_t a = p[1] | fold;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (n < 3) return 0;
    if (any_case && p[1] == 0xc5 && p[2] == 0xbf) return 3;
    const uint8_t b = p[2] | fold;
    return ((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/* A run of spaces: all of it at the end of the text, else all but the last, which may belong to
 * the word behind it; a single one stands alone. A number ends the text when `digits` are cut off.
 */
static size_t spaces(const uint8_t *p, size_t n, bool digits)
{
    size_t at = 0;
    size_t last = 0;
    size_t len;
    enum kind kind = SPACE;
    while (at < n) {
        kind = kind_at(p + at, n - at, &len);
        if (kind != SPACE) break;
        last = at;
        at += len;
    }
    bool is_end = at == n || (digits && kind == NUMBER);
    return is_end || last == 0 ? at : last;
}

/* Characters of one kind from `at` on: where they end. */
static size_t run(const uint8_t *p, size_t n, size_t at, enum kind kind)
{
    size_t len;
    while (at < n && kind_at(p + at, n - at, &len) == kind)
        at += len;
    return at;
}

static size_t next_gpt2(const uint8_t *p, size_t n, bool digits)
{
    size_t len = contraction(p, n, false);
    if (len) return len;
    size_t at = n > 1 && p[0] == ' ' ? 1 : 0;
    enum kind kind = kind_at(p + at, n - at, &len);
    if (kind == SPACE || (digits && at && kind == NUMBER)) return spaces(p, n, digits);
    if (digits && kind == NUMBER) return len;
    return run(p, n, at + len, kind);
}

static bool is_newline(uint8_t c)
{
    return c == '\r' || c == '\n';
}

/* Up to and with the last line end of a run of spaces; without one as GPT-2 does. */
static size_t lines(const uint8_t *p, size_t n)
{
    size_t end = run(p, n, 0, SPACE);
    for (size_t at = end; at > 0; at--)
        if (is_newline(p[at - 1])) return at;
    return spaces(p, n, false);
}

static size_t next_llama3(const uint8_t *p, size_t n, int max_digits)
{
    size_t first;
    size_t len;
    size_t at = contraction(p, n, true);
    if (at) return at;
    enum kind kind = kind_at(p, n, &first);
    if (kind == LETTER) return run(p, n, first, LETTER);
    if (kind == NUMBER) {
        at = first;
        while (--max_digits > 0 && at < n && kind_at(p + at, n - at, &len) == NUMBER)
            at += len;
        return at;
    }
    enum kind second = first < n ? kind_at(p + first, n - first, &len) : SPACE;
    if (second == LETTER && !is_newline(p[0])) return run(p, n, first + len, LETTER);
    if (kind == SPACE && (p[0] != ' ' || second != OTHER)) return lines(p, n);
    at = run(p, n, first, OTHER);
    while (at < n && is_newline(p[at]))
        at++;
    return at;
}

size_t pretoken_next(enum pretoken_rule rule, const uint8_t *p, size_t n)
{
    switch (rule) {
    case PRETOKEN_LLAMA3: return next_llama3(p, n, 3);
    case PRETOKEN_QWEN2: return next_llama3(p, n, 1);
    case PRETOKEN_DIGITS: return next_gpt2(p, n, true);
    case PRETOKEN_GPT2: break;
    }
    return next_gpt2(p, n, false);
}

int pretoken_find(const char *regex)
{
#define TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define HEAD "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
    static const struct {
        const char *regex;
        enum pretoken_rule rule;
    } known[] = {
        {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
         PRETOKEN_GPT2                                                                                        },
        {HEAD "\\p{N}{1,3}" TAIL,                                                              PRETOKEN_LLAMA3},
        {HEAD "\\p{N}" TAIL,                                                                   PRETOKEN_QWEN2 },
    };
#undef TAIL
#undef HEAD
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].regex, regex) == 0) return (int)known[i].rule;
    return -1;
}
