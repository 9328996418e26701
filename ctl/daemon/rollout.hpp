// SPDX-License-Identifier: Apache-2.0
// The order in which a configuration becomes what users meet, as a state machine without effects or clock:
//
//   prepare   addresses, sockets, backends, services, VIPs that lead to services        what is new, in front of nothing that is used
//   publish   parts, keys and root to the workers; then wait until they serve it
//   finish    VIPs that go to the worker or away, then everything that nobody names any more
//
// so neither a packet nor a connection meets a half-made state. A configuration that comes meanwhile starts over with `prepare`:
// plans are differences to what is there, so nothing is done twice. An unchanged root is not published again: a restarted daemon
// finds it with the keeper, and nothing is sent.
#pragma once

#include <cstdint>
#include <string>

#include "ctl/daemon/board.hpp"
#include "ctl/status/book.hpp"

namespace penstock::daemon {

class Rollout {
public:
    enum class Step : std::uint8_t { none, prepare, publish, wait, finish };

    // Where an earlier daemon was: the last generation it gave out, and what the keeper holds (0 and "" if nothing).
    void restore(std::uint64_t generation, std::uint64_t root_generation, std::string root_digest);

    // A configuration that differs from the one before: gives its generation.
    std::uint64_t want(std::string root_digest);
    // The same again: something failed, or the machine changed under us.
    void retry();

    [[nodiscard]] Step step() const { return step_; }
    // The step was carried out, as far as it went.
    void prepared();
    void published();
    void publish_failed() { publish_failed_ = true; step_ = Step::finish; }  // no keeper: the data path of the core goes on
    void finished();

    // The workers that are active serve the root of this generation (of `published`) or a later one.
    void taken(std::uint64_t root_generation);
    // Waiting takes too long: finish without the workers.
    void give_up();

    // The generation to publish the root with.
    [[nodiscard]] std::uint64_t wanted() const { return now_.wanted; }
    [[nodiscard]] const Generation& generation() const { return now_; }
    [[nodiscard]] status::Phase phase() const;
    [[nodiscard]] const std::string& root_digest() const { return wanted_digest_; }

private:
    void after_publish();
    void settle();

    Step step_ = Step::none;
    Generation now_;
    std::string wanted_digest_;
    std::string published_digest_;
    std::uint64_t published_generation_ = 0;  // with which published_digest_ went out
    std::uint64_t taken_generation_ = 0;      // of roots
    bool publish_failed_ = false;
    bool gave_up_ = false;
};

}  // namespace penstock::daemon
