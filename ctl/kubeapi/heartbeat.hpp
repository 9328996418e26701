// SPDX-License-Identifier: Apache-2.0
// Renews one Lease of our own, again and again, on the client's thread: a daemon that is busy for a while is not taken for dead.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/election.hpp"

namespace penstock::kubeapi {

class Heartbeat : public std::enable_shared_from_this<Heartbeat> {
public:
    // Called on the client's thread when it is another trouble, or none any more.
    using Tell = std::function<void(const std::optional<Error>&)>;

    // The client outlives it: end the client first.
    static std::shared_ptr<Heartbeat> start(Client& client, Election lease, Tell tell);

    // What the Lease carries from its next renewal on. From any thread.
    void carry(std::map<std::string, std::string> labels, std::map<std::string, std::string> annotations);
    // Whether the Lease is not ours any more; false: the server did not take it after some tries.
    using Released = std::function<void(bool)>;
    // Renews no more and gives the Lease up. From any thread; `done` on the client's, also if there was nothing to give up.
    void release(Released done);

private:
    Heartbeat(Client& client, Election lease, Tell tell) : client_(client), lease_(std::move(lease)), tell_(std::move(tell)) {}
    void beat();
    void give_up(unsigned tries);
    void look_again(unsigned tries);

    Client& client_;
    Election lease_;
    Tell tell_;
    std::string told_;
    bool asking_ = false;
    Released released_;  // set: no more
};

}  // namespace penstock::kubeapi
