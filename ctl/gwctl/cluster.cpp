// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/cluster.hpp"

#include <utility>

namespace penstock::gwctl {

Result<std::unique_ptr<Cluster>> Cluster::connect(const Arguments& arguments) {
    PST_TRY_ASSIGN(kubeapi::Access access, kubeapi::find_access(arguments.access));
    const std::string server = access.server;
    const std::string ns = access.ns;
    PST_TRY_ASSIGN(auto client, kubeapi::Client::start(std::move(access)));
    return std::make_unique<Cluster>(server, ns, std::move(client), arguments.request_timeout_ms);
}

Result<kubeapi::Resource> Cluster::resource(model::Kind kind) {
    static const kubeapi::Resources kBuiltIn = kubeapi::built_in_resources();
    if (const auto found = kBuiltIn.find(kind); found != kBuiltIn.end()) {
        return found->second;
    }
    if (!resources_) {
        auto discovered = asking_.discover();
        if (!discovered.ok()) {
            return std::move(discovered).error().in(text());
        }
        resources_ = std::move(*discovered);
    }
    const auto found = resources_->find(kind);
    if (found == resources_->end()) {
        return Error{.code = Errc::unsupported, .what = text() + " has no kind " + std::string(model::kind_name(kind)), .hint = "its CRD is not installed"};
    }
    return found->second;
}

}  // namespace penstock::gwctl
