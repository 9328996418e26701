// SPDX-License-Identifier: Apache-2.0
// What a list that comes in pages may ask of us: each page says by a token which one follows it, and a server may say so without an end. A
// token that leads back to its own page is told at once; any other way round by the number and size of all pages.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <utility>

#include "userspace/base/result.hpp"

namespace penstock::kubeapi {

class PageGuard {
public:
    static constexpr std::size_t kPagesMax = 20'000;
    static constexpr std::size_t kBytesMax = 1UL << 30;  // of all pages

    // A page of so many bytes has come, and says that `next` follows it; "": none does. After an error nothing is to be asked for.
    Status page(std::size_t bytes, std::string next) {
        if (!next.empty() && next == next_) {
            return Error{.code = Errc::invalid, .what = "a page says that it follows itself"};
        }
        pages_ += 1;
        bytes_ += bytes;
        if (pages_ > kPagesMax || bytes_ > kBytesMax) {
            return Error{.code = Errc::limit, .what = fmt::format("the list is longer than {} pages or {} bytes", kPagesMax, kBytesMax)};
        }
        next_ = std::move(next);
        return success();
    }

    // The token of the page to ask for; "": the first, or none after the last.
    [[nodiscard]] const std::string& next() const { return next_; }

private:
    std::string next_;
    std::size_t pages_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace penstock::kubeapi
