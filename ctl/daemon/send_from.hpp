// SPDX-License-Identifier: Apache-2.0
// A request of the loop's to an API server: it is sent by the client's thread, and its answer is the loop's again.
#pragma once

#include <utility>

#include "ctl/daemon/loop.hpp"
#include "ctl/kubeapi/client.hpp"

namespace penstock::daemon {

// `done` takes a const Result<kubeapi::Answer>&. The loop outlives the client; what `done` is of outlives the loop's run.
template <class Done>
void send_from(Loop& loop, kubeapi::Client& client, kubeapi::Request request, Done done) {
    client.send(std::move(request), [&loop, done = std::move(done)](Result<kubeapi::Answer> answer) {
        loop.post([done, answer = std::move(answer)] { done(answer); });
    });
}

}  // namespace penstock::daemon
