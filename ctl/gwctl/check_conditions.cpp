// SPDX-License-Identifier: Apache-2.0
// What controllers say of the objects: conditions that are not good, those of a generation before, and silence.
#include <algorithm>
#include <functional>

#include "ctl/compile/conditions.hpp"
#include "ctl/gwctl/analysis.hpp"
#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/object_view.hpp"
#include "ctl/status/writer.hpp"

namespace penstock::gwctl {

namespace {

using model::Kind;
using nlohmann::json;

// Which conditions must hold.
bool must_hold(const std::string& type) { return type == "Accepted" || type == "Programmed" || type == "ResolvedRefs"; }

// Of each object the codes of what was found, and the reasons that this explains.
using Known = std::map<model::ObjectKey, std::set<std::string, std::less<>>>;

Known known_of(const std::vector<Finding>& findings) {
    Known known;
    for (const Finding& one : findings) {
        known[one.object].insert({std::string(one.code), one.explains});
    }
    return known;
}

class OfOne {
public:
    OfOne(Checking& checking, const Known& known, const model::Object& object) : checking_(checking), known_(known), object_(object) {}

    void run(const json& status) {
        bool said = false;
        bool late = false;
        each_condition(status, [&](const std::string& where, const json& condition) {
            // What the CRD fills in before any controller came.
            said |= text_at(condition, {"status"}) != "Unknown";
            late |= count_at(condition, {"observedGeneration"}) < static_cast<std::uint64_t>(std::max<std::int64_t>(object_.meta.generation, 0)) && condition.contains("observedGeneration");
            look_at(where, condition);
        });
        tell();
        if (!checking_.scene.watched || !must_have_status(object_.key.kind)) {
            return;
        }
        if (!said && !is_known("GW001") && !is_known("RT001") && !is_known("RT003")) {
            add("GW002", Weight::warning, "", "nobody has said anything of it", silence_hint());
        } else if (late) {
            add("GW003", Weight::warning, "status", "the status is of a generation before this one (" + std::to_string(object_.meta.generation) + ")", "does its controller run?");
        }
    }

private:
    struct NotGood {
        std::string where;
        std::string type;
        std::string status;
        std::string reason;
        std::string message;
    };

    void add(std::string_view code, Weight weight, std::string path, std::string message, std::string hint) {
        checking_.add({.code = code, .weight = weight, .object = object_.key, .path = std::move(path), .message = std::move(message), .hint = std::move(hint), .manifest = {}, .explains = {}});
    }
    void look_at(const std::string& where, const json& condition) {
        NotGood one{where, text_at(condition, {"type"}), text_at(condition, {"status"}), text_at(condition, {"reason"}), text_at(condition, {"message"})};
        if (is_not_good(one.type, one.status)) {
            not_good_.push_back(std::move(one));
        }
    }
    // A listener that is not programmed because of the whole, or because of what else is said of it.
    [[nodiscard]] bool only_follows(const NotGood& one) const {
        return one.where.starts_with("listener") && one.type == "Programmed" && one.reason == "Invalid" &&
               std::any_of(not_good_.begin(), not_good_.end(), [&](const NotGood& other) { return &other != &one && (other.where.empty() || other.where == one.where); });
    }
    void tell() {
        for (const NotGood& one : not_good_) {
            if (!is_known(one.reason) && !only_follows(one)) {
                add("ST001", must_hold(one.type) ? Weight::error : Weight::warning, one.where, one.type + "=" + one.status + ", " + one.reason + (one.message.empty() ? "" : ": " + one.message), "");
            }
        }
    }
    [[nodiscard]] bool is_known(std::string_view what) const {
        const auto found = known_.find(object_.key);
        return found != known_.end() && found->second.contains(what);
    }
    [[nodiscard]] std::string silence_hint() const {
        const auto* gateway_class = model::body_of<model::GatewayClass>(object_);
        return gateway_class != nullptr ? "does the controller " + gateway_class->controller_name + " run?" : "does the controller of its GatewayClass run?";
    }

    Checking& checking_;
    const Known& known_;
    const model::Object& object_;
    std::vector<NotGood> not_good_;
};

}  // namespace

bool must_have_status(Kind kind) { return status::has_status(kind) && kind != Kind::backend_tls_policy; }

bool is_known_type(const std::string& type) { return must_hold(type) || compile::is_bad_news(type); }

bool is_not_good(const std::string& type, const std::string& status) { return (must_hold(type) && status == "False") || (compile::is_bad_news(type) && status == "True"); }

void check_conditions(Checking& checking) {
    static const json kNone = json::object();
    const Known known = known_of(checking.findings);
    for (const auto& [key, object] : checking.scene.store) {
        const auto found = checking.scene.statuses.find(key);
        if (must_have_status(key.kind) || found != checking.scene.statuses.end()) {
            OfOne(checking, known, *object).run(found != checking.scene.statuses.end() ? found->second : kNone);
        }
    }
}

}  // namespace penstock::gwctl
