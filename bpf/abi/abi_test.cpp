// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bpf/abi/pst_abi.h"

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "tools/test/catch.hpp"

extern "C" int pst_abi_checked(void);

TEST_CASE("abi: C and C++ agree on the header") {
    CHECK(pst_abi_checked() == PST_ABI_VERSION);
}

TEST_CASE("abi: every map has a name of its own that the kernel can hold") {
    std::set<std::string> names;
#define PST_X(name, type, key, value, entries, mmap) \
    CHECK(std::strlen(#name) <= 15);                 \
    CHECK(entries > 0);                              \
    CHECK(names.insert(#name).second);
    PST_MAPS(PST_X)
#undef PST_X
}

TEST_CASE("abi: every verdict has a sentence, and its class is the first word of its name") {
    struct Row {
        std::string name;
        pst_verdict_class kind;
        std::string text;
    };
    const std::vector<Row> rows = {
#define PST_X(name, kind, text) {#name, PST_CLASS_##kind, text},
        PST_VERDICTS(PST_X)
#undef PST_X
    };
    CHECK(rows.size() == PST_VERDICT_COUNT);
    std::set<std::string> texts;
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(texts.insert(row.text).second);
        CHECK(row.text.size() > 10);
        CHECK((row.kind == PST_CLASS_DROP) == row.name.starts_with("DROP_"));
        CHECK((row.kind == PST_CLASS_PASS) == row.name.starts_with("PASS_"));
    }
}
