// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/client.hpp"

#include <httplib.h>
#include <sys/stat.h>

namespace penstock::gwctl {

namespace {

Result<Client::Reply> reply_of(const httplib::Result& result, const std::string& socket) {
    if (!result) {
        struct stat info = {};
        const bool there = ::stat(socket.c_str(), &info) == 0;
        return Error{.code = Errc::not_found, .what = "reach penstockd at " + socket + ": " + httplib::to_string(result.error()),
                     .hint = there ? "is it running, and may you use its socket?" : "no daemon runs with this state folder; name another by --state-dir"};
    }
    auto body = nlohmann::json::parse(result->body, nullptr, false);
    if (body.is_discarded()) {
        return Error{.code = Errc::invalid, .what = "the daemon's answer is no JSON", .hint = "are gwctl and penstockd of one version?"};
    }
    return Client::Reply{result->status, std::move(body)};
}

httplib::Client connection(const std::string& socket) {
    httplib::Client client(socket);
    client.set_address_family(AF_UNIX);
    client.set_read_timeout(70);
    return client;
}

}  // namespace

Error error_of(const Client::Reply& reply) {
    const auto error = reply.body.value("error", nlohmann::json::object());
    std::string what = error.value("message", "the daemon answered " + std::to_string(reply.status));
    const std::string cause = error.value("caused_by", "");
    return Error{.code = reply.status == 404 ? Errc::not_found : Errc::invalid, .what = what + (cause.empty() ? "" : ": " + cause), .hint = error.value("hint", "")};
}

Result<Client::Reply> Client::get(const std::string& path) const {
    auto client = connection(socket_);
    return reply_of(client.Get(path.c_str()), socket_);
}

Result<Client::Reply> Client::post(const std::string& path, const nlohmann::json& body) const {
    auto client = connection(socket_);
    return reply_of(client.Post(path.c_str(), body.dump(), "application/json"), socket_);
}

Result<nlohmann::json> Client::read(const std::string& path) const {
    PST_TRY_ASSIGN(Reply reply, get(path));
    if (reply.status != 200) {
        return error_of(reply);
    }
    return std::move(reply.body);
}

}  // namespace penstock::gwctl
