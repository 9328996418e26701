// SPDX-License-Identifier: Apache-2.0
// What could not be done, for GET /v1/status: one entry per thing that failed, from its first failure until it is solved and ten minutes
// after. The newest come first, at most 64. It also says when to try again: 1, 2, 4 ... 30 s while anything is unsolved. Pure but for
// its memory: the clock is a parameter.
#pragma once

#include <cstdint>
#include <list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/status/book.hpp"
#include "userspace/base/result.hpp"

namespace penstock::daemon {

// Something that failed now, under a name that is the same at the next try: "socket tcp/192.0.2.1:80".
struct Trouble {
    std::string what;
    Error error;
    std::optional<status::Failure> failure;  // who owns it; none: nobody's object
};

class ErrorBook {
public:
    using Ms = std::int64_t;  // of a clock that never falls, from any start
    static constexpr std::size_t kMax = 64;
    static constexpr Ms kKeepSolvedMs = 10 * 60 * 1000;

    // What set() changed, for the log.
    struct News {
        std::vector<std::string> begun;  // whole sentences
        std::vector<std::string> solved;
    };
    // Replaces what is wrong now; past the first kMax nothing is kept. Entries that are not in it are solved.
    News set(std::vector<Trouble> now_wrong, std::uint64_t generation, Ms now_ms, std::int64_t unix_s);
    // A configuration changed: the next try comes soon again.
    void restart_backoff() { tries_ = 0; }

    [[nodiscard]] std::size_t unsolved() const;
    // When to try again; nothing if all is solved.
    [[nodiscard]] std::optional<Ms> retry_at() const { return retry_at_; }
    [[nodiscard]] nlohmann::json to_json(Ms now_ms) const;

private:
    struct Entry {
        Trouble trouble;
        std::uint64_t generation = 0;
        std::int64_t unix_s = 0;
        std::optional<Ms> solved_ms;
    };
    void forget(Ms now_ms);

    std::list<Entry> entries_;  // newest first
    unsigned tries_ = 0;
    std::optional<Ms> retry_at_;
};

// {"kind", "namespace", "name"} of "Gateway/default/edge"; null of "".
nlohmann::json object_reference(const std::string& object);

}  // namespace penstock::daemon
