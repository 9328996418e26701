// SPDX-License-Identifier: Apache-2.0
// As whom a request goes out at this moment. Files are read again when they are older than a minute, the exec plugin is run again before
// what it gave expires, and both at once after the server said 401. One thread uses it; running a plugin blocks it for its time.
// Secrets pass through here: no error shows one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "ctl/kubeapi/access.hpp"
#include "userspace/base/result.hpp"

namespace penstock::kubeapi {

struct Identity {
    std::string authorization;       // the field's value: "Bearer ..."; "" for none
    std::string client_certificate;  // PEM; "" for none
    std::string client_key;
    std::string ca;                  // PEM; "" for the system's
    std::string as;                  // the user to act as; "" for oneself
    std::vector<std::string> as_groups;

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

// Runs the plugin for at most half a minute and reads what it prints.
Result<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, const Access& access);

class Credentials {
public:
    using UnixClock = std::function<std::int64_t()>;  // seconds
    using RunPlugin = std::function<Result<ExecCredential>(const ExecPlugin&, const Access&)>;

    Credentials(Access access, UnixClock clock, RunPlugin run = run_exec_plugin);

    // The identity to use now. If a file cannot be read again the last one stays; an error only where there is none yet.
    Result<std::shared_ptr<const Identity>> get();
    // The server did not take it (401): the next get() looks again, at most once in ten seconds.
    void refused();

private:
    Result<std::shared_ptr<const Identity>> read();

    Access access_;
    UnixClock clock_;
    RunPlugin run_;
    std::shared_ptr<const Identity> last_;
    ExecCredential executed_;
    bool has_executed_ = false;
    std::int64_t read_s_ = 0;
    bool look_again_ = false;
};

}  // namespace penstock::kubeapi
