// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The verdicts' names and classes, by number.
#include <array>
#include <cstddef>

#include "bpf/abi/pst_verdicts.h"
#include "bpf/test/runner.hpp"

namespace penstock::bpf_test {

namespace {

struct VerdictRow {
    std::string_view name;
    pst_verdict_class kind;
};

constexpr std::array kVerdicts = {
#define PST_X(name, kind, text) VerdictRow{#name, PST_CLASS_##kind},
    PST_VERDICTS(PST_X)
#undef PST_X
};

}  // namespace

std::string_view verdict_name(int verdict) {
    return verdict >= 0 && verdict < PST_VERDICT_COUNT ? kVerdicts[static_cast<std::size_t>(verdict)].name : "none";
}

bool is_sent(int verdict) {
    const pst_verdict_class kind = kVerdicts.at(static_cast<std::size_t>(verdict)).kind;
    return kind == PST_CLASS_FORWARD || kind == PST_CLASS_REPLY;
}

}  // namespace penstock::bpf_test
