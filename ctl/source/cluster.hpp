// SPDX-License-Identifier: Apache-2.0
// The source `cluster`: the objects of a Kubernetes API as its watches tell them. An event that changes nothing that we read (a status,
// managed fields, a heartbeat) leaves the object what it was, and nothing follows from it. An object that we cannot read stays in its last
// good version and is told. What the server said last of an object's status is kept beside it, for who writes statuses; of a Gateway's the
// addresses matter, as every node shall have the same ones.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/compile/pool.hpp"
#include "ctl/kubeapi/follower.hpp"
#include "ctl/source/source.hpp"

namespace penstock::source {

// One object of the API, read. Made on the thread that talks to the API; the rest of this file is the daemon's.
struct ClusterItem {
    model::ObjectKey key;
    bool gone = false;         // it was deleted: nothing else of it counts
    model::ObjectPtr object;   // null: it is not one that we can read
    std::string version;       // metadata.resourceVersion
    std::string status;        // as the server has it, as JSON in little space; "" if none
    std::vector<model::Diagnostic> diagnostics;
};
struct ClusterNews {
    model::Kind kind = model::Kind::gateway_class;
    kubeapi::Resource resource;
    kubeapi::KindState state;
    bool all = false;                // these are all there are of the kind
    std::string since;               // as Batch::since
    std::vector<ClusterItem> items;  // in the order of the server's versions
};
ClusterNews read_news(kubeapi::News news);

class Cluster {
public:
    // `name` is for messages: "https://10.0.0.1:6443".
    explicit Cluster(std::string name) : name_(std::move(name)) {}

    struct Changed {
        std::vector<model::ObjectKey> gone;
        bool content = false;                     // something that compile reads
        bool missed = false;                      // a list had a change of that which a watch should have told
        bool vanished = false;                    // a list was without something that was there: whether a watch should have told it is not known
        std::vector<model::ObjectKey> statuses;   // objects whose status or version on the server is another one
    };
    Changed apply(ClusterNews news);

    // What we wrote came back with a new version, perhaps before the watch told it and perhaps after somebody else's newer one.
    void wrote(const model::ObjectKey& key, std::string version, std::string status);

    // Kinds that were listed, or whose CRD is missing.
    [[nodiscard]] const std::set<model::Kind>& synced() const { return synced_; }
    // That is every kind: what is here is what there is.
    [[nodiscard]] bool ready() const { return synced_.size() == model::kKinds; }
    [[nodiscard]] Given given() const;
    // What Gateways have by their statuses: the writer's word, which every node follows.
    [[nodiscard]] const compile::AddressBook& addresses() const { return addresses_; }

    struct Stored {
        model::ObjectPtr object;
        std::string version;
        std::string status;  // as JSON
    };
    // Null if it is not there.
    [[nodiscard]] const Stored* find(const model::ObjectKey& key) const;
    // All that can be read.
    [[nodiscard]] const model::ObjectMap<model::ObjectPtr>& objects() const { return readable_; }
    // Where the kind is; null if the server does not have it.
    [[nodiscard]] const kubeapi::Resource* resource(model::Kind kind) const;
    [[nodiscard]] const std::map<model::Kind, kubeapi::KindState>& states() const { return states_; }

    // Since start: events of the API, and those that something followed from.
    [[nodiscard]] std::uint64_t events() const { return events_; }
    [[nodiscard]] std::uint64_t events_that_mattered() const { return mattered_; }

private:
    void keep_only(const ClusterNews& news, Changed& changed);
    void put(ClusterItem item, bool listed, Changed& changed);
    void take_out(const model::ObjectKey& key, Changed& changed);
    bool note_addresses(const model::ObjectKey& key, const std::string& status);

    std::string name_;
    std::map<model::ObjectKey, Stored> objects_;
    model::ObjectMap<model::ObjectPtr> readable_;                             // of them
    std::map<model::ObjectKey, std::vector<model::Diagnostic>> diagnostics_;  // of those that there is something to say of
    std::map<model::Kind, kubeapi::KindState> states_;
    std::map<model::Kind, kubeapi::Resource> resources_;
    std::set<model::Kind> synced_;
    compile::AddressBook addresses_;
    std::uint64_t events_ = 0;
    std::uint64_t mattered_ = 0;
};

}  // namespace penstock::source
