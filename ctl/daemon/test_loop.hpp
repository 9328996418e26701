// SPDX-License-Identifier: Apache-2.0
// For tests: what is asked of something that lives on a loop's thread.
#pragma once

#include <future>
#include <memory>
#include <type_traits>

#include "ctl/daemon/loop.hpp"
#include "tools/test/catch.hpp"

namespace penstock::daemon::testing {

// What `question` answers on the loop's thread, which runs. Waits for it.
template <class Question>
auto on_loop(Loop& loop, const Question& question) {
    using Answer = decltype(question());
    const auto answer = std::make_shared<std::promise<Answer>>();
    REQUIRE(loop.post([answer, &question] {
        if constexpr (std::is_void_v<Answer>) {
            question();
            answer->set_value();
        } else {
            answer->set_value(question());
        }
    }));
    return answer->get_future().get();
}

}  // namespace penstock::daemon::testing
