// SPDX-License-Identifier: Apache-2.0
// One question after another, each waited for: what a command asks, where a daemon follows. Its errors name what was asked, of whom, and
// what the user can do about a refusal. Repeats a request only where the server says when to come again (429, 503).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/resources.hpp"
#include "ctl/model/value.hpp"

namespace penstock::kubeapi {

// What is asked, for errors: {"list", "httproutes.gateway.networking.k8s.io", "in the namespace shop"}.
struct Act {
    std::string verb;   // as RBAC has it
    std::string what;   // resource and group
    std::string where;  // may be empty
    [[nodiscard]] std::string text() const { return verb + " " + what + (where.empty() ? "" : " " + where); }
};

class Asking {
public:
    // The client outlives it. `patience` for each request; 0: as long as it takes.
    Asking(Client& client, milliseconds patience) : client_(client), patience_(patience) {}

    // The answer, whatever its status; an error only if there is none.
    Result<Answer> answer(Request request, const Act& act);
    // The content of a good answer; `not_found` if the server has no such thing.
    Result<model::Value> read(Request request, const Act& act);

    // The kinds of the model that this server has, each in the version that we read.
    Result<Resources> discover();
    // The resource of a kind in that version ("apps/v1", "Deployment"); not_found names the versions of the group that are served.
    Result<Resource> resource(const std::string& api_version, const std::string& kind);
    // Objects with apiVersion and kind, of one namespace or of all. `selector`: by label; `fields`: by field; "": all.
    Result<std::vector<model::Value>> list(const Resource& resource, const std::optional<std::string>& ns, const std::string& selector, const std::string& fields);

private:
    Client& client_;
    milliseconds patience_;
};

// What the server's refusal means for who asked.
Error refusal(const Answer& answer, const Act& act);
// "httproutes.gateway.networking.k8s.io", "services"
std::string resource_name(const Resource& resource);

}  // namespace penstock::kubeapi
