// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/client.hpp"

#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ctl/gwctl/answer.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

// Longer than the daemon waits for a change at most (60 s).
constexpr time_t kPatienceS = 70;

Error unreachable(const std::string& socket, httplib::Error why) {
    const std::string what = "reach penstockd at " + socket;
    if (why == httplib::Error::Read) {
        return Error{.code = Errc::kernel, .what = what + ": it gave no answer", .hint = "it is stopping, or it is no penstockd"};
    }
    if (::access(socket.c_str(), W_OK) == 0) {
        return Error{.code = Errc::not_found, .what = what + ": " + httplib::to_string(why), .hint = "the daemon that made it does not run any more; while another takes over, try again in a second"};
    }
    return sys_error(what, errno == EACCES ? "the socket is for root and its group; try sudo" : "no daemon runs with this state folder: --state-dir names another; get, describe, analyze, apply and delete take --kubernetes for a cluster");
}

Result<Client::Reply> reply_of(const httplib::Result& result, const std::string& socket) {
    if (!result) {
        return unreachable(socket, result.error());
    }
    json body = json::parse(result->body, nullptr, false);
    return Client::Reply{result->status, body.is_discarded() ? json(nullptr) : std::move(body)};
}

httplib::Client connection(const std::string& socket) {
    httplib::Client client(socket);
    client.set_address_family(AF_UNIX);
    client.set_connection_timeout(5);
    client.set_read_timeout(kPatienceS);
    return client;
}

}  // namespace

Error error_of(const Client::Reply& reply) {
    const std::string message = text_at(reply.body, {"error", "message"});
    const std::string cause = text_at(reply.body, {"error", "caused_by"});
    return Error{.code = reply.status == 404 ? Errc::not_found : Errc::invalid,
                 .what = (message.empty() ? "the daemon answered " + std::to_string(reply.status) : message) + (cause.empty() ? "" : ": " + cause),
                 .hint = text_at(reply.body, {"error", "hint"})};
}

// What is no answer of ours, or knows no such path, is looked into: does it speak our version at all?
Result<Client::Reply> Client::checked(Result<Reply> reply) const {
    const bool ours = reply.ok() && reply->body.is_object() && (reply->status == 200 || reply->body.contains("error"));
    if (!reply.ok() || (ours && reply->status != 404)) {
        return reply;
    }
    PST_TRY_ASSIGN(const Reply version, reply_of(connection(socket_).Get("/v1/version"), socket_));
    const json& spoken = list_at(version.body, {"api"});
    if (std::find(spoken.begin(), spoken.end(), kApiVersion) == spoken.end()) {
        return Error{.code = Errc::unsupported, .what = "the daemon at " + socket_ + " does not speak version " + std::to_string(kApiVersion) + " of the control API",
                     .hint = "use the gwctl that came with it"};
    }
    if (ours) {
        return reply;
    }
    return Error{.code = Errc::invalid, .what = "the daemon's answer (status " + std::to_string(reply->status) + ") is not in the form of its API", .hint = "are gwctl and penstockd of one version?"};
}

Result<Client::Reply> Client::get(const std::string& path) const { return checked(reply_of(connection(socket_).Get(path.c_str()), socket_)); }

Result<Client::Reply> Client::post(const std::string& path, const json& body) const {
    return checked(reply_of(connection(socket_).Post(path.c_str(), body.dump(), "application/json"), socket_));
}

Result<json> Client::read(const std::string& path) const {
    PST_TRY_ASSIGN(Reply reply, get(path));
    if (reply.status != 200) {
        return error_of(reply);
    }
    return std::move(reply.body);
}

}  // namespace penstock::gwctl
