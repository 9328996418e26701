// SPDX-License-Identifier: Apache-2.0
// Who writes, where several could: the holder of a Lease (coordination.k8s.io/v1). A state machine without I/O. That a holder is gone is
// judged by our own clock since its Lease last changed, never by the times written in it: clocks differ. A holder that could not renew for
// two thirds of the duration stops by itself, before anybody else may begin.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/lease.hpp"
#include "ctl/kubeapi/pace.hpp"

namespace penstock::kubeapi {

class Election {
public:
    static constexpr milliseconds kDuration{15'000};
    static constexpr milliseconds kRenewDeadline{10'000};
    static constexpr milliseconds kPause{2'000};  // between two looks

    struct Terms {
        milliseconds duration = kDuration;
        milliseconds renew_deadline = kRenewDeadline;
        milliseconds pause = kPause;
        milliseconds again = kPause;        // after a failure; once the Lease is not held any more it doubles with each,
        milliseconds again_max = kPause;    // up to this, with chance
        milliseconds patience{5'000};       // for an answer
    };

    // `ns` and `name` of the Lease; `identity` is ours alone.
    Election(std::string ns, std::string name, std::string identity) : Election(std::move(ns), std::move(name), std::move(identity), Terms()) {}
    Election(std::string ns, std::string name, std::string identity, Terms terms);

    // What the Lease carries besides, from the next write on.
    void carry(std::map<std::string, std::string> labels, std::map<std::string, std::string> annotations);

    // What to ask the server now. One request at a time: answered() follows before the next. `unix_us` goes into the Lease, for people.
    [[nodiscard]] Request next(Time now, std::int64_t unix_us);
    void answered(const Result<Answer>& answer, Time now);
    // When to ask again after answered().
    [[nodiscard]] milliseconds pause() const { return pause_; }

    [[nodiscard]] bool leads(Time now) const { return renewed_ && !steps_down_ && now - *renewed_ < terms_.renew_deadline; }
    // Of the Lease as it was last seen; "" if nobody.
    [[nodiscard]] const std::string& holder() const { return lease_.holder; }
    // Why the last answer led nowhere; nothing if all is well.
    [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }
    // The request by which a leader steps down, so that its successor need not wait; nothing if we do not lead. Its answer is not for
    // answered(): if it is bad, who looks once more may ask for it again.
    [[nodiscard]] std::optional<Request> release(std::int64_t unix_us);

private:
    enum class Step : std::uint8_t { look, create, take };
    [[nodiscard]] Request write(const std::string& holder, std::int64_t unix_us) const;
    void seen(const Answer& answer, Time now);
    [[nodiscard]] milliseconds again(Time now);

    const std::string ns_;
    const std::string identity_;
    const Terms terms_;
    Step step_ = Step::look;
    milliseconds pause_{0};
    Lease lease_;                     // as last seen
    std::map<std::string, std::string> labels_;
    std::map<std::string, std::string> annotations_;
    std::optional<Time> changed_;     // when the Lease was last seen to change
    Time sent_{};                     // what is asked
    std::optional<Time> renewed_;     // by us: when we asked for it, however late we heard that we may
    bool steps_down_ = false;
    std::optional<Error> trouble_;
    Backoff again_;
};

// The identity of this machine's daemon, one after the other: "node-a_1b4e28ba-...". Two machines that were given one name are two, and so is
// one before and after it was booted. The name alone where the kernel does not tell.
[[nodiscard]] std::string identity_of(const std::string& node);
// The node of an identity, for people. An identity that is none of ours is itself.
[[nodiscard]] std::string node_of_identity(const std::string& identity);

}  // namespace penstock::kubeapi
