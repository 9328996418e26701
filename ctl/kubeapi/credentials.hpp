// SPDX-License-Identifier: Apache-2.0
// As whom a request goes out at this moment. Files are read again when they are older than a minute, the exec plugin is run again before
// what it gave expires, and both soon after the server said 401. One thread uses it. The first run of a plugin blocks it for its time; later
// ones have a thread of their own, and the identity before is used meanwhile. Secrets pass through here: no error shows one.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "ctl/kubeapi/access.hpp"
#include "userspace/base/result.hpp"

namespace penstock::kubeapi {

struct Identity {
    std::string authorization;       // the field's value: "Bearer ..."; "" for none
    std::string client_certificate;  // PEM; "" for none
    std::string client_key;
    std::string ca;                  // PEM; "" for the system's
    Acting as;

    bool operator==(const Identity&) const = default;
};

// What an exec plugin printed.
struct ExecCredential {
    std::string token;
    std::string client_certificate;
    std::string client_key;
    std::int64_t expires_s = 0;  // Unix time; 0: it does not say
};
Result<ExecCredential> parse_exec_credential(std::string_view text);

// Runs the plugin for at most half a minute, or until it shall stop, and reads what it prints.
Result<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, const Access& access, const std::stop_token& stop);

class Credentials {
public:
    using UnixClock = std::function<std::int64_t()>;  // seconds
    using RunPlugin = std::function<Result<ExecCredential>(const ExecPlugin&, const Access&, const std::stop_token&)>;

    Credentials(Access access, UnixClock clock, RunPlugin run = run_exec_plugin);

    // The identity to use now. If a file cannot be read again, or is empty, the last one stays and a second later it is tried again; an error
    // only where there is none yet.
    Result<std::shared_ptr<const Identity>> get();
    // The server did not take it (401): the next get() looks at files again, at most once in a second, and runs the plugin, at most once in ten.
    void refused();
    // There was no TLS with it: a certificate and its key are not written in one moment. The next get() looks at files again.
    void no_tls();

private:
    Result<std::shared_ptr<const Identity>> read();
    Status execute(std::int64_t now);
    void run_aside();

    Access access_;
    UnixClock clock_;
    RunPlugin run_;
    std::shared_ptr<const Identity> last_;
    std::optional<ExecCredential> executed_;
    std::optional<Error> failed_run_;  // of the first one, which everything waits for
    std::int64_t executed_s_ = 0;  // when the plugin was last begun
    std::int64_t read_s_ = 0;
    bool read_failed_ = false;
    bool look_again_ = false;      // at files
    bool run_again_ = false;
    std::future<Result<ExecCredential>> aside_;
    std::jthread running_;  // what gives it: the last member, stopped first
};

}  // namespace penstock::kubeapi
