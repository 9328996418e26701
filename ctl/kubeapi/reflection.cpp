// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/reflection.hpp"

#include <fmt/format.h>

#include <utility>

#include "ctl/kubeapi/url.hpp"
#include "ctl/model/text_at.hpp"
#include "ctl/model/value_text.hpp"

namespace penstock::kubeapi {

namespace {

using model::Value;

constexpr int kPage = 500;
constexpr auto kListPatience = milliseconds(60'000);
constexpr int kWatchMin = 300;  // seconds that a watch lasts, as client-go has it: between once and twice that
constexpr auto kWatchGrace = milliseconds(30'000);
constexpr model::TextLimits kListLimits = {.bytes_max = 512UL << 20, .nodes_max = 50'000'000};

}  // namespace

Reflection::Reflection(std::string api_version, std::string kind, std::string selector, std::uint64_t seed, milliseconds wait_max)
    : api_version_(std::move(api_version)), kind_(std::move(kind)), selector_(std::move(selector)), backoff_(milliseconds(200), wait_max, seed),
      random_(static_cast<std::minstd_rand::result_type>(seed)) {}

Reflection::Next Reflection::next() {
    Next next{.what = version_.empty() ? Next::What::list : Next::What::watch, .query = {}, .delay = std::exchange(delay_, milliseconds(0)),
              .asked = std::exchange(asked_, milliseconds(0)), .patience = kListPatience};
    const std::string selector = selector_.empty() ? "" : "&" + selector_;
    if (next.what == Next::What::list) {
        next.query = fmt::format("limit={}{}{}", kPage, selector, continue_.empty() ? "" : "&continue=" + url_encoded(continue_));
        return next;
    }
    const int lasts = std::uniform_int_distribution(kWatchMin, 2 * kWatchMin)(random_);
    next.patience = std::chrono::seconds(lasts) + kWatchGrace;
    next.query = fmt::format("watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}{}", lasts, url_encoded(version_), selector);
    heard_ = false;
    return next;
}

void Reflection::failed(Error error, std::optional<milliseconds> retry_after) {
    asked_ = retry_after.value_or(milliseconds(0));
    delay_ = std::max(backoff_.next(), asked_);
    trouble_ = std::move(error);
}

void Reflection::start_over() {
    version_.clear();
    continue_.clear();
    pages_ = {};
}

Value Reflection::whole(const Value& item) const {
    // Lists of the built-in kinds leave these two out.
    return item.find("kind") != nullptr ? item : item.with("apiVersion", Value::string(api_version_)).with("kind", Value::string(kind_));
}

std::optional<Batch> Reflection::listed(const Result<Answer>& answer) {
    const std::string what = "list " + kind_ + " of " + api_version_;
    if (!answer.ok()) {
        failed(Error(answer.error()).in(what), {});
        return std::nullopt;
    }
    missing_ = answer->status == 404;
    if (!answer->good()) {
        if (answer->status == 410 || missing_) {
            start_over();  // the page's token is too old; or there is nothing to go on with
        }
        failed(answer->failure(what), answer->retry_after);
        return std::nullopt;
    }
    auto parsed = model::parse_json(answer->body, kListLimits);
    const Value* items = parsed.ok() ? parsed->find("items") : nullptr;
    const std::string version = parsed.ok() ? text_at(*parsed, {"metadata", "resourceVersion"}) : "";
    if (version.empty()) {
        start_over();
        failed(Error{.code = Errc::invalid, .what = what + ": the answer is no list"}, {});
        return std::nullopt;
    }
    if (items != nullptr) {
        for (const Value& item : items->items()) {
            pages_.changes.push_back({whole(item)});
        }
    }
    backoff_.succeeded();
    trouble_.reset();
    continue_ = text_at(*parsed, {"metadata", "continue"});
    if (!continue_.empty()) {
        return std::nullopt;
    }
    version_ = version;
    synced_ = true;
    Batch batch = std::exchange(pages_, {});
    batch.all = true;
    return batch;
}

void Reflection::watch_error(const Value& status) {
    const Value* code = status.find("code");
    const bool expired = code != nullptr && code->as_integer() != nullptr && *code->as_integer() == 410;
    if (expired || text_at(status, {"reason"}) == "Expired") {
        start_over();
        return;  // not our failure: list at once
    }
    failed(Error{.code = Errc::internal, .what = fmt::format("watch {} of {}: {}", kind_, api_version_, text_at(status, {"message"}))}, {});
}

void Reflection::line(std::string_view text, Batch& batch) {
    const auto event = model::parse_json(text);
    const Value* object = event.ok() ? event->find("object") : nullptr;
    const std::string type = event.ok() ? text_at(*event, {"type"}) : "";
    if (object == nullptr || type.empty()) {
        return;  // cut off: the end of the watch follows, and its rest comes again
    }
    if (type == "ERROR") {
        watch_error(*object);
        return;
    }
    const std::string version = text_at(*object, {"metadata", "resourceVersion"});
    if (version.empty() || version_.empty()) {
        return;
    }
    if (!heard_) {
        heard_ = true;
        backoff_.succeeded();
        trouble_.reset();
    }
    version_ = version;
    if (type == "ADDED" || type == "MODIFIED" || type == "DELETED") {
        batch.changes.push_back({whole(*object), type == "DELETED"});
    }
}

void Reflection::watch_ended(const Result<Answer>& answer) {
    const std::string what = "watch " + kind_ + " of " + api_version_;
    if (answer.ok() && answer->good()) {
        // A server that shuts down ends its watches one after the other, and so does its time: go on, but not in a tight loop.
        delay_ = std::max(delay_, heard_ || trouble_ ? milliseconds(0) : backoff_.next());
        return;
    }
    if (!answer.ok()) {
        failed(Error(answer.error()).in(what), {});
        return;
    }
    missing_ = answer->status == 404;
    if (answer->status == 410 || missing_) {
        start_over();
    }
    if (answer->status != 410) {
        failed(answer->failure(what), answer->retry_after);
    }
}

}  // namespace penstock::kubeapi
