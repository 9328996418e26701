// SPDX-License-Identifier: Apache-2.0
// The control socket: HTTP/1.1 over a Unix socket of mode 0660, as docs/reference/control-api.md says. It carries requests to one function
// and bounds them (body, number at a time); it knows no path of the API. The function is called on threads of this object.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "userspace/base/result.hpp"

namespace penstock::daemon {

inline constexpr std::size_t kControlBodyMax = 64U << 20;
inline constexpr std::size_t kControlThreads = 16;

struct ApiRequest {
    std::string method;  // "GET", "POST"
    std::string path;    // without the query
    std::multimap<std::string, std::string> query;
    std::string body;
    pid_t peer = 0;  // process that asks (SO_PEERCRED); 0 if not known
};

struct ApiReply {
    int status = 200;
    std::string body;
    std::string type = "application/json";
};

using ApiHandler = std::function<ApiReply(const ApiRequest&)>;

class ControlServer {
public:
    // Replaces a socket file that a dead daemon left; the caller holds the state folder's lock, so nobody lives behind it.
    static Result<std::unique_ptr<ControlServer>> start(const std::string& path, ApiHandler handler);

    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;
    ~ControlServer();  // waits for requests that are being served, removes the socket file

private:
    struct Impl;
    explicit ControlServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// The body of every answer that is not 200.
ApiReply error_reply(int status, const Error& error);
// 400, 404, 409, 413, 422 or 500, by the error's code.
ApiReply error_reply(const Error& error);
std::string_view name_of(Errc code);

}  // namespace penstock::daemon
