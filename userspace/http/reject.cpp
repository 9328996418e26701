// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/reject.hpp"

#include <array>

namespace penstock::http {

namespace {

struct Entry {
    std::string_view name, sentence;
    int status;
};

constexpr std::array kEntries = {
    Entry{"none", "", 0},
#define PST_X(name, status, text) Entry{#name, text, status},
    PST_HTTP_REJECTS(PST_X)
#undef PST_X
};

const Entry& entry(Reject reject) { return kEntries[static_cast<std::size_t>(reject)]; }

}  // namespace

std::string_view name_of(Reject reject) { return entry(reject).name; }
std::string_view sentence_of(Reject reject) { return entry(reject).sentence; }
int status_of(Reject reject) { return entry(reject).status; }

}  // namespace penstock::http
