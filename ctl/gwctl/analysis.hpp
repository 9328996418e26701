// SPDX-License-Identifier: Apache-2.0
// What is wrong or suspicious in a set of objects. Pure: where they are from, and what could not be looked at, is in the scene.
// Invariant: one fault is told once. What a check explains is not told again as the condition that came of it.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/compile/world.hpp"
#include "ctl/model/references.hpp"
#include "ctl/model/store.hpp"

namespace penstock::gwctl {

enum class Weight { error, warning, note };
std::string_view name_of(Weight weight);

struct Finding {
    std::string_view code;  // of checks()
    Weight weight = Weight::error;
    model::ObjectKey object;
    std::string path;      // "" for the whole object
    std::string message;
    std::string hint;      // what to do; may be empty
    std::string manifest;  // what to apply instead; mostly empty
    std::string explains;  // the reason of a condition that comes of it

    [[nodiscard]] bool same_as(const Finding& other) const { return code == other.code && object == other.object && path == other.path && message == other.message; }
};

// What each code means: docs/reference/gwctl.md lists them.
struct Check {
    std::string_view code;
    std::string_view means;
};
const std::vector<Check>& checks();

struct Scene {
    model::Store store;
    std::map<model::ObjectKey, nlohmann::json> statuses;
    std::vector<Finding> unreadable;  // objects that are none to us
    std::set<model::Kind> unseen;  // kinds that could not be looked at: nothing is said of what they may hold
    std::set<model::ObjectKey> closed;  // Secrets that came without their content
    bool whole = true;             // all that there is; false: some files, which may refer to what is elsewhere
    bool watched = true;           // controllers write statuses here: silence means something
    std::int64_t now_s = 0;
};

// Of objects of these kinds a controller always says something; a policy may have nobody who does.
bool must_have_status(model::Kind kind);
// Whether we know what is good of conditions of this type: others' controllers may write types of their own.
bool is_known_type(const std::string& type);
// Whether a condition is bad news; of a type that we do not know it is not.
bool is_not_good(const std::string& type, const std::string& status);

// Null for what has no listeners.
const std::vector<model::Listener>* listeners_of(const model::Object& object);

// Sorted: errors first, then by object and path.
std::vector<Finding> analyze(const Scene& scene);

// What the checks share; alive while they run.
class Checking {
public:
    explicit Checking(const Scene& scene);

    void add(Finding finding) { findings.push_back(std::move(finding)); }
    // Whether the target is there, or may be where one cannot see.
    [[nodiscard]] bool may_exist(const model::Reference& reference) const;
    // A missing target weighs less where it may be elsewhere.
    [[nodiscard]] Weight missing() const { return scene.whole ? Weight::error : Weight::warning; }
    [[nodiscard]] std::string absent(const std::string& what) const { return scene.whole ? "there is no " + what : what + " is not in these files"; }

    const Scene& scene;
    compile::SliceIndex slices;
    compile::World world;
    std::map<model::ObjectKey, model::ObjectKey> led_to;  // Services that are backends, each with one that leads there
    std::vector<Finding> findings;
};

// The checks, each of its own noun.
void check_references(Checking& checking);
void check_endpoints(Checking& checking);
void check_attachment(Checking& checking);
void check_certificates(Checking& checking);
void check_external_ips(Checking& checking);
void check_conditions(Checking& checking);  // the last one: it leaves out what others explain

}  // namespace penstock::gwctl
