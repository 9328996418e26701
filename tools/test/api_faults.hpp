// SPDX-License-Identifier: Apache-2.0
// For tests: what an API server is made to do wrong. Who has it guards it.
#pragma once

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace penstock::test {

class ApiFaults {
public:
    struct Failure {
        int status;
        std::string retry_after;
    };

    // The next `count` requests whose "METHOD /path" contains `part` get this status.
    void fail(std::string part, int status, unsigned count, std::string retry_after) { failing_.push_back({std::move(part), count, {status, std::move(retry_after)}}); }
    // What becomes of this one, which counts.
    [[nodiscard]] std::optional<Failure> take(const std::string& request) {
        const auto found = std::find_if(failing_.begin(), failing_.end(), [&](const Failing& one) { return one.left > 0 && request.find(one.part) != std::string::npos; });
        if (found == failing_.end()) {
            return std::nullopt;
        }
        found->left -= 1;
        return found->failure;
    }

    // Requests whose path contains `part` get no answer.
    void hold(std::string part) { held_ = std::move(part); }
    [[nodiscard]] bool holds(const std::string& target) const { return !held_.empty() && target.find(held_) != std::string::npos; }

    // What is applied to a path that contains `part` is taken, and not answered yet; "": all is.
    void answer_late(std::string part) { late_ = std::move(part); }
    [[nodiscard]] bool is_late(const std::string& path) const { return !late_.empty() && path.find(late_) != std::string::npos; }

    // Kinds whose CRD is not there: "tlsroutes".
    void hide(const std::string& plural, bool hidden) { hidden ? (void)hidden_.insert(plural) : (void)hidden_.erase(plural); }
    [[nodiscard]] bool has_hidden(const std::string& plural) const { return hidden_.contains(plural); }
    [[nodiscard]] bool hides(const std::string& path) const {
        return std::any_of(hidden_.begin(), hidden_.end(), [&](const std::string& plural) { return (path + "/").find("/" + plural + "/") != std::string::npos; });
    }

    // Another manager has set a field of an object.
    void own(const std::string& path, const std::string& manager, const std::string& field) {
        owned_[path] = {{"reason", "FieldManagerConflict"}, {"message", "conflict with \"" + manager + "\" using v1"}, {"field", field}};
    }
    void disown(const std::string& path) { owned_.erase(path); }
    // The cause by which who applies it is refused; null if nobody has.
    [[nodiscard]] nlohmann::json conflict(const std::string& path) const {
        const auto found = owned_.find(path);
        return found != owned_.end() ? found->second : nlohmann::json();
    }

private:
    struct Failing {
        std::string part;
        unsigned left;
        Failure failure;
    };
    std::vector<Failing> failing_;
    std::string held_;
    std::string late_;
    std::set<std::string> hidden_;
    std::map<std::string, nlohmann::json> owned_;
};

}  // namespace penstock::test
