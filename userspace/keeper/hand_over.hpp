// SPDX-License-Identifier: Apache-2.0
// Between two keepers on one machine: the one that begins fetches the descriptors of the one before over a Unix socket, so that what
// waits in an accept queue is served and every counter goes on. Messages are those of keeper.fbs:
//     successor: Hello("successor")                      predecessor, once its daemon has ended: Hello, Welcome, Put*, Publish?, Synced
//     successor, once its worker serves and its daemon has started: Taken      predecessor: its workers drain, and it waits to be ended
//     successor, once one of its own holds everything: Synced                  predecessor: should the channel close, that one serves, and we do not
//     successor, when it has lost that one: Hello                              predecessor: should the channel close, we serve
// Should the channel close without a Synced, the predecessor goes on; while its workers drain, with all that it held.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"
#include "userspace/keeper/items.hpp"
#include "userspace/keeper/peer.hpp"

namespace penstock::keeper {

// Where a successor asks.
class HandOverSocket {
public:
    // Takes the path from whoever had it: there is always one to ask.
    static Result<HandOverSocket> listen(const std::string& path);

    [[nodiscard]] int fd() const { return socket_.get(); }  // readable: call accept()
    // Nobody, or who is not of our user: told to the log and closed.
    std::optional<Fd> accept();
    // Nobody shall ask any more, and nobody has taken the path.
    void remove();

private:
    HandOverSocket(std::string path, Fd socket) : path_(std::move(path)), socket_(std::move(socket)) {}
    std::string path_;
    Fd socket_;
};

struct Inheritance {
    Items items;
    Peer predecessor;  // waits for our Taken
};

// What the keeper that listens at `path` holds for `slots` threads a worker, waiting for at most `patience_ms`; nothing: none listens.
// Sockets of another number of slots and a stats page of another layout are left there, with a word in the log.
Result<std::optional<Inheritance>> inherit(const std::string& path, std::uint32_t slots, std::int64_t patience_ms);

}  // namespace penstock::keeper
