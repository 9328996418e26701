// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/h2_fault.hpp"

#include <array>

namespace penstock::http {

namespace {

struct Entry {
    std::string_view name, sentence;
    H2Code code;
};

constexpr std::array kEntries = {
    Entry{"none", "", H2Code::no_error},
#define PST_X(name, code, text) Entry{#name, text, H2Code::code},
    PST_H2_FAULTS(PST_X)
#undef PST_X
};

const Entry& entry(H2Fault fault) { return kEntries[static_cast<std::size_t>(fault)]; }

}  // namespace

std::string_view name_of(H2Fault fault) { return entry(fault).name; }
std::string_view sentence_of(H2Fault fault) { return entry(fault).sentence; }
H2Code code_of(H2Fault fault) { return entry(fault).code; }

}  // namespace penstock::http
