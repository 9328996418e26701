// SPDX-License-Identifier: Apache-2.0
// The API server that the arguments name, asked as a command asks.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ctl/gwctl/command.hpp"
#include "ctl/kubeapi/asking.hpp"
#include "ctl/kubeapi/reflection.hpp"

namespace penstock::gwctl {

class Cluster {
public:
    static Result<std::unique_ptr<Cluster>> connect(const Arguments& arguments);

    // "the API server at https://..."
    [[nodiscard]] std::string text() const { return "the API server at " + server_; }
    [[nodiscard]] const std::string& ns() const { return ns_; }  // of the context
    kubeapi::Asking& asking() { return asking_; }
    // Of a kind of the model; `unsupported` if the server does not have it.
    Result<kubeapi::Resource> resource(model::Kind kind);

    // Tells what changes of a collection, first all of it, until `tell` says no. What keeps it from that for a while is told on stderr.
    // `selector`: as kubeapi::Reflection.
    void watch(const kubeapi::Resource& resource, const std::optional<std::string>& ns, std::string selector, const std::function<bool(const kubeapi::Batch&)>& tell);

    Cluster(std::string server, std::string ns, std::unique_ptr<kubeapi::Client> client, int timeout_ms)
        : server_(std::move(server)), ns_(std::move(ns)), client_(std::move(client)), asking_(*client_, kubeapi::milliseconds(timeout_ms)) {}

private:
    std::string server_;
    std::string ns_;
    std::unique_ptr<kubeapi::Client> client_;
    kubeapi::Asking asking_;
    std::optional<kubeapi::Resources> resources_;  // once they were asked for
};

}  // namespace penstock::gwctl
