// SPDX-License-Identifier: Apache-2.0
// Times as people and the Kubernetes API read them.
#pragma once

#include <cstdint>
#include <string>

namespace penstock {

// "2026-01-02T03:04:05Z"
std::string rfc3339(std::int64_t unix_s);

// Of the machine's clock, which may jump: for people and for what others read.
std::int64_t unix_us_now();

}  // namespace penstock
