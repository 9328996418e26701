// SPDX-License-Identifier: Apache-2.0
// Copies of requests for other backends (Gateway API, RequestMirror). A copy is what the rule's filters made of the request, with its whole
// body; the filters of a backendRef are that backend's own. It is sent once the body is here, by a task of its own with its own deadline,
// to one endpoint; the answer is read and thrown away. The request itself never waits for a copy, and never fails with it: what is too
// much (a body that is too long to be kept, too many copies on their way) is not sent and counted.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "userspace/proxy/context.hpp"
#include "userspace/proxy/heads.hpp"
#include "userspace/proxy/replay.hpp"

namespace penstock::proxy {

// The mirrors of one rule whose turn a request is. Shares are exact over each `denominator` requests of the rule, over all threads.
std::vector<std::shared_ptr<const BackendSet>> due_mirrors(Context& context, const Rule& rule);

class Mirroring {
public:
    // Nothing to be sent.
    Mirroring() = default;
    // `head` as for prepare_request, which this copies. Nothing of an upgrade: there is no copy of a conversation.
    void prepare(std::vector<std::shared_ptr<const BackendSet>> to, const http::RequestHead& head, std::string_view path, const ClientFacts& client,
                 const Treatment& treatment, std::string_view request_id);
    [[nodiscard]] bool waiting() const { return request_ != nullptr; }
    // Once `body` is complete: sends the copies, or counts why not.
    void send(Context& context, const Replay& body);
    // The request is over: what waits still is sent if its body is complete after all, else counted.
    void end(Context& context, const Replay& body);

private:
    void give_up(Context& context);

    std::vector<std::shared_ptr<const BackendSet>> to_;
    std::shared_ptr<Outgoing> request_;
    std::optional<Endpoint> source_, destination_;  // of the client's connection, for those who are told
};

}  // namespace penstock::proxy
