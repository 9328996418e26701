// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/whole_answer.hpp"

namespace penstock::proxy {

ring::Task<bool> read_answer_head(BackendSide& side, ring::Time deadline) {
    for (std::size_t interims = 0; interims <= kInterimMax;) {
        const http::Progress progress = side.read_head();
        if (progress == http::Progress::rejected) {
            co_return false;
        }
        if (progress == http::Progress::done && !side.head().interim()) {
            co_return true;
        }
        interims += progress == http::Progress::done ? 1 : 0;
        if (progress == http::Progress::more) {
            const int waited = co_await side.body().wait(deadline);
            if (waited != 0) {
                co_return false;
            }
        }
    }
    co_return false;
}

ring::Task<bool> read_answer_body(BodySource& body, std::size_t bytes_max, ring::Time deadline) {
    for (std::size_t bytes = 0; !body.complete();) {
        const std::size_t size = body.next().size();
        bytes += size;
        if (bytes > bytes_max || body.reject() != http::Reject::none) {
            co_return false;
        }
        if (size == 0 && !body.complete()) {
            const int waited = co_await body.wait(deadline);
            if (waited != 0) {
                co_return false;
            }
        }
    }
    co_return true;
}

}  // namespace penstock::proxy
