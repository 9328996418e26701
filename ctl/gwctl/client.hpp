// SPDX-License-Identifier: Apache-2.0
// The control API of a running daemon (docs/reference/control-api.md), asked over its Unix socket.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "userspace/base/result.hpp"

namespace penstock::gwctl {

inline constexpr int kApiVersion = 1;

class Client {
public:
    explicit Client(std::string state_dir) : socket_(std::move(state_dir) + "/control.sock") {}

    struct Reply {
        int status = 0;
        nlohmann::json body;
    };
    // Fails if the daemon cannot be reached, speaks another version of the API or talks nonsense; an answer that is not 200 is a Reply.
    [[nodiscard]] Result<Reply> get(const std::string& path) const;
    [[nodiscard]] Result<Reply> post(const std::string& path, const nlohmann::json& body) const;
    // As get, but any answer that is not 200 is an error with the daemon's words.
    [[nodiscard]] Result<nlohmann::json> read(const std::string& path) const;

private:
    [[nodiscard]] Result<Reply> checked(Result<Reply> reply) const;

    std::string socket_;
};

// The error that an answer's body tells of.
Error error_of(const Client::Reply& reply);

}  // namespace penstock::gwctl
