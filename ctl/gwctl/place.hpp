// SPDX-License-Identifier: Apache-2.0
// A place that objects come from: files, the daemon or a cluster's API server. get, describe and analyze ask it and do not know which it is.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/gwctl/command.hpp"
#include "ctl/model/object.hpp"
#include "userspace/base/result.hpp"

namespace penstock::gwctl {

struct Query {
    model::Kind kind = model::Kind::gateway;
    std::optional<std::string> ns;  // nothing: all; not looked at for kinds without namespaces
    std::string name;               // "": any
    std::string selector;           // of labels; "": any
    bool usable = false;            // of Secrets those that a reference can mean: the others are the bulk of many clusters'
};

class Place {
public:
    virtual ~Place() = default;
    Place() = default;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    // "the daemon at /run/penstock/control.sock": for messages.
    [[nodiscard]] virtual std::string text() const = 0;
    // Where one looks if no -n says it; nothing: everywhere.
    [[nodiscard]] virtual std::optional<std::string> default_ns() const = 0;
    // Kubernetes JSON with statuses, sorted by namespace and name. `unsupported`: the place does not know the kind (its CRD is not installed).
    virtual Result<nlohmann::json> objects(const Query& query) = 0;
    // What is seen of a query: all there is, or what changed since.
    struct Seen {
        bool all = false;
        std::vector<std::pair<nlohmann::json, bool>> objects;  // gone: true, as it was at the end
    };
    // Tells of the objects of a query until `tell` says no: first all, then each change, soon after it. An error if the place does not answer at
    // first, or ever, where it is not worth while to try again.
    virtual Status watch(const Query& query, const std::function<bool(Seen)>& tell);
    // What the cluster has to say of an object lately; an empty list elsewhere.
    virtual Result<nlohmann::json> events(const nlohmann::json& object);
};

enum class Where { files, daemon, cluster };
// Files if some are named; the daemon or the cluster that an option names; else the daemon if its socket is there, else the cluster of
// $KUBECONFIG. Who only looks also takes that of ~/.kube/config: who changes something must have named it.
Where where_of(const Arguments& arguments, bool changes);

// For who looks.
Result<std::unique_ptr<Place>> open_place(const Arguments& arguments);
// The namespace that the arguments name, or the place has; nothing for all.
std::optional<std::string> namespace_of(const Arguments& arguments, const Place& place);

}  // namespace penstock::gwctl
