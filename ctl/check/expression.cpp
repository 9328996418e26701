// SPDX-License-Identifier: Apache-2.0
#include "ctl/check/expression.hpp"

#include <re2/re2.h>

#include <string>

namespace penstock::check {

constexpr std::size_t kPatternBytesMax = 4096;
constexpr std::int64_t kProgramBytesMax = 1 << 20;

Status check_expression(std::string_view pattern) {
    if (pattern.size() > kPatternBytesMax) {
        return Error{.code = Errc::limit, .what = "the regular expression is longer than 4096 bytes"};
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kProgramBytesMax);
    const RE2 expression(re2::StringPiece(pattern.data(), pattern.size()), options);
    if (!expression.ok()) {
        return Error{.code = Errc::invalid, .what = "the regular expression is not valid: " + expression.error()};
    }
    return success();
}

}  // namespace penstock::check
