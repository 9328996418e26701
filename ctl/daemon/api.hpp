// SPDX-License-Identifier: Apache-2.0
// The paths of the control API (docs/reference/control-api.md): reads requests, checks them, asks the daemon, writes answers. It holds
// no state. Runs on the threads of the control socket; everything it asks the daemon is safe to call from there.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ctl/daemon/board.hpp"
#include "ctl/daemon/control_server.hpp"
#include "userspace/base/result.hpp"

namespace penstock::daemon {

struct ApiDocument {
    std::string name;
    std::string text;
};

struct ApiObject {
    std::string kind;
    std::string ns;
    std::string name;
};

// A change of the source `loaded`: documents to put, or objects to take out.
struct ApiChange {
    std::vector<ApiDocument> documents;
    std::vector<ApiObject> removals;
    bool replace = false;
    bool dry_run = false;
    pid_t peer = 0;
};

// What a change came to at once, before any wait.
struct ApiChanged {
    std::uint64_t generation = 0;    // wanted after it
    nlohmann::json changed;          // list of references with "change"
    nlohmann::json diagnostics;      // list
    nlohmann::json not_good;         // of a dry run; else null and asked for after the wait
    bool refused = false;            // diagnostics hold errors, nothing was changed
};

struct ObjectFilter {
    std::vector<std::string> kinds;  // empty: all
    std::string ns;
    std::string name;
    bool any_ns = true;
    bool any_name = true;
};

// What the API asks of the daemon.
class ApiBackend {
public:
    virtual ~ApiBackend() = default;
    virtual nlohmann::json version() = 0;
    virtual const Board& board() = 0;
    virtual Result<nlohmann::json> status() = 0;
    virtual Result<nlohmann::json> objects(const ObjectFilter& filter) = 0;  // the list's items
    virtual Result<std::string> tables() = 0;                                // as text
    virtual Result<nlohmann::json> counters() = 0;
    virtual Result<nlohmann::json> snapshot() = 0;
    virtual Result<ApiChanged> change(const ApiChange& change) = 0;
    // Conditions that are not good, and the errors of one generation.
    virtual Result<nlohmann::json> not_good() = 0;
    virtual Result<nlohmann::json> unsolved() = 0;  // errors, whatever generation they began in
};

ApiReply serve_api(ApiBackend& backend, const ApiRequest& request);

inline constexpr std::chrono::milliseconds kApiWaitMax{60'000};

}  // namespace penstock::daemon
