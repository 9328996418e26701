// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/control_server.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "userspace/base/log.hpp"

namespace penstock::daemon {

struct ControlServer::Impl {
    std::string path;
    ApiHandler handler;
    httplib::Server http;
    std::thread thread;
};

namespace {

void answer(const ApiHandler& handler, const httplib::Request& in, httplib::Response& out) {
    ApiRequest request{.method = in.method, .path = in.path, .query = {}, .body = in.body, .peer = in.remote_port};
    request.query.insert(in.params.begin(), in.params.end());
    ApiReply reply = handler(request);
    out.status = reply.status;
    out.set_content(std::move(reply.body), reply.type.c_str());
}

// What the HTTP library refuses by itself gets our form of an error, too.
void explain(httplib::Response& out) {
    if (!out.body.empty()) {
        return;
    }
    const Errc code = out.status == 413 ? Errc::limit : Errc::invalid;
    const char* hint = out.status == 413 ? "a request body is at most 64 MiB: load in several steps" : "";
    const ApiReply reply = error_reply(out.status, Error{.code = code, .what = "the request was refused by the control socket", .hint = hint});
    out.set_content(reply.body, reply.type.c_str());
}

void set_up(httplib::Server& http, const ApiHandler& handler) {
    const auto serve = [&handler](const httplib::Request& in, httplib::Response& out) { answer(handler, in, out); };
    http.Get(".*", serve);
    http.Post(".*", serve);
    http.set_error_handler([](const httplib::Request&, httplib::Response& out) { explain(out); });
    http.set_payload_max_length(kControlBodyMax);
    http.set_read_timeout(10);
    http.set_write_timeout(10);
    http.set_keep_alive_timeout(2);
    http.new_task_queue = [] { return new httplib::ThreadPool(kControlThreads); };
    http.set_address_family(AF_UNIX);
}

int status_of(Errc code) {
    switch (code) {
        case Errc::invalid: return 400;
        case Errc::not_found: return 404;
        case Errc::exists: return 409;
        case Errc::denied: return 403;
        case Errc::limit: return 413;
        case Errc::timeout: return 504;
        case Errc::unsupported: return 501;
        case Errc::kernel:
        case Errc::internal: break;
    }
    return 503;
}

}  // namespace

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& path, ApiHandler handler) {
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        return Error{.code = Errc::invalid, .what = fmt::format("the path {} is too long for a Unix socket", path),
                     .hint = "choose a shorter --state-dir"};
    }
    ::unlink(path.c_str());
    auto impl = std::make_unique<Impl>();
    impl->path = path;
    impl->handler = std::move(handler);
    set_up(impl->http, impl->handler);
    errno = 0;
    if (!impl->http.bind_to_port(path.c_str(), 80)) {
        return sys_error(fmt::format("listen on {}", path));
    }
    if (::chmod(path.c_str(), 0660) != 0) {
        return sys_error(fmt::format("chmod {}", path));
    }
    impl->thread = std::thread([raw = impl.get()] { raw->http.listen_after_bind(); });
    // stop() is lost on a server that does not run yet.
    while (!impl->http.is_running()) {
        std::this_thread::yield();
    }
    return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

ControlServer::~ControlServer() {
    impl_->http.stop();
    impl_->thread.join();
    ::unlink(impl_->path.c_str());
}

std::string_view name_of(Errc code) {
    switch (code) {
        case Errc::invalid: return "invalid";
        case Errc::not_found: return "not_found";
        case Errc::exists: return "exists";
        case Errc::denied: return "denied";
        case Errc::limit: return "limit";
        case Errc::unsupported: return "unsupported";
        case Errc::timeout: return "timeout";
        case Errc::kernel: return "kernel";
        case Errc::internal: break;
    }
    return "internal";
}

ApiReply error_reply(int status, const Error& error) {
    const nlohmann::json body = {{"error",
                                  {{"code", name_of(error.code)},
                                   {"message", error.message()},
                                   {"caused_by", error.sys_errno != 0 ? std::strerror(error.sys_errno) : ""},
                                   {"hint", error.hint}}}};
    return {.status = status, .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

ApiReply error_reply(const Error& error) { return error_reply(status_of(error.code), error); }

}  // namespace penstock::daemon
