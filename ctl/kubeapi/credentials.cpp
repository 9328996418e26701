// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/credentials.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "ctl/model/formats.hpp"
#include "ctl/model/text_at.hpp"
#include "ctl/model/value_text.hpp"
#include "userspace/base/base64.hpp"
#include "userspace/base/files.hpp"
#include "userspace/base/log.hpp"

namespace penstock::kubeapi {

namespace {

constexpr std::size_t kFileMax = 16U << 20;
constexpr std::int64_t kFileAge = 60;     // seconds: a projected token is rotated when 80 % of its hour is over
constexpr std::int64_t kEarly = 30;       // a plugin is run so many seconds before its credential expires
constexpr std::int64_t kFailedAge = 1;    // somebody is writing it
constexpr std::int64_t kRefusedAge = 10;  // a server that refuses everything must not make us run a plugin all the time

// A file that is empty is being written.
Result<std::string> bytes_of(const Material& material) {
    auto bytes = material.file.empty() ? Result<std::string>(material.bytes) : read_file(material.file, kFileMax);
    if (bytes.ok() && !material.file.empty() && bytes->find_first_not_of(" \t\r\n") == std::string::npos) {
        return Error{.code = Errc::invalid, .what = material.file + " is empty"};
    }
    return bytes;
}

// Tokens are written with and without a newline.
std::string trimmed(std::string text) {
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    return text;
}

}  // namespace

Result<ExecCredential> parse_exec_credential(std::string_view text) {
    const auto parsed = model::parse_json(text, {.bytes_max = 1U << 20});
    const model::Value* status = parsed.ok() ? parsed->find("status") : nullptr;
    if (status == nullptr || text_at(*parsed, {"kind"}) != "ExecCredential") {
        return Error{.code = Errc::invalid, .what = "what it printed is no ExecCredential with a status"};
    }
    ExecCredential out{.token = text_at(*status, {"token"}), .client_certificate = text_at(*status, {"clientCertificateData"}),
                       .client_key = text_at(*status, {"clientKeyData"})};
    if (const std::string expiry = text_at(*status, {"expirationTimestamp"}); !expiry.empty()) {
        const auto when = model::time_s(expiry);
        if (!when) {
            return Error{.code = Errc::invalid, .what = "its expirationTimestamp is not a time"};
        }
        out.expires_s = *when;
    }
    if (out.token.empty() && out.client_certificate.empty()) {
        return Error{.code = Errc::invalid, .what = "its status has neither a token nor a certificate"};
    }
    if (out.client_certificate.empty() != out.client_key.empty()) {
        return Error{.code = Errc::invalid, .what = "its status has a certificate or a key, but not both"};
    }
    return out;
}

Credentials::Credentials(Access access, UnixClock clock, RunPlugin run) : access_(std::move(access)), clock_(std::move(clock)), run_(std::move(run)) {}

Result<std::shared_ptr<const Identity>> Credentials::get() {
    const std::int64_t now = clock_();
    const bool ran = aside_.valid() && aside_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    const bool expires = executed_ && executed_->expires_s != 0 && executed_->expires_s - kEarly <= now;
    run_again_ = run_again_ || expires;
    const bool due = run_again_ && !aside_.valid() && now - executed_s_ >= kRefusedAge;
    const bool stale = look_again_ || now - read_s_ >= (read_failed_ ? kFailedAge : kFileAge) || now < read_s_;
    if (last_ != nullptr && !stale && !ran && !due) {
        return last_;
    }
    look_again_ = false;
    read_s_ = now;
    Status executed = execute(now);
    auto fresh = executed.ok() ? read() : Result<std::shared_ptr<const Identity>>(std::move(executed).error());
    if (!fresh.ok() && last_ == nullptr) {
        return fresh;
    }
    if (const bool failed = !fresh.ok(); failed != std::exchange(read_failed_, failed) && failed) {
        log::warn("Kubernetes credentials: {}; going on with those before", fresh.error().message());
    }
    if (fresh.ok() && (last_ == nullptr || **fresh != *last_)) {
        last_ = std::move(fresh).value();
    }
    return last_;
}

void Credentials::refused() {
    no_tls();
    run_again_ = run_again_ || (executed_ && clock_() - executed_s_ >= kRefusedAge);
}

void Credentials::no_tls() { look_again_ = look_again_ || clock_() - read_s_ >= kFailedAge; }

// Takes what a plugin gave, and runs it where that is due.
Status Credentials::execute(std::int64_t now) {
    if (!access_.exec) {
        return success();
    }
    if (!executed_ && failed_run_ && now - executed_s_ < kRefusedAge) {
        return *failed_run_;
    }
    if (!executed_) {
        executed_s_ = now;
        auto first = run_(*access_.exec, access_, std::stop_token());
        if (!first.ok()) {
            failed_run_ = first.error();
            return std::move(first).error();
        }
        executed_ = std::move(first).value();
        return success();
    }
    if (aside_.valid() && aside_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
        PST_TRY_ASSIGN(executed_, aside_.get());
        run_again_ = false;
    }
    if (run_again_ && !aside_.valid() && now - executed_s_ >= kRefusedAge) {
        executed_s_ = now;
        run_aside();
    }
    return success();
}

void Credentials::run_aside() {
    std::promise<Result<ExecCredential>> promise;
    aside_ = promise.get_future();
    running_ = std::jthread([run = run_, access = access_, promise = std::move(promise)](const std::stop_token& stop) mutable {
        promise.set_value(run(*access.exec, access, stop));
    });
}

Result<std::shared_ptr<const Identity>> Credentials::read() {
    auto identity = std::make_shared<Identity>();
    PST_TRY_ASSIGN(identity->ca, bytes_of(access_.ca));
    PST_TRY_ASSIGN(identity->client_certificate, bytes_of(access_.client_certificate));
    PST_TRY_ASSIGN(identity->client_key, bytes_of(access_.client_key));
    PST_TRY_ASSIGN(std::string token, bytes_of(access_.token));
    token = trimmed(std::move(token));
    if (access_.exec) {
        token = executed_->token.empty() ? std::move(token) : executed_->token;
        if (!executed_->client_certificate.empty()) {
            identity->client_certificate = executed_->client_certificate;
            identity->client_key = executed_->client_key;
        }
    }
    if (!token.empty()) {
        identity->authorization = "Bearer " + token;
    } else if (!access_.username.empty()) {
        identity->authorization = "Basic " + base64_of(access_.username + ":" + access_.password);
    }
    identity->as = access_.as;
    const auto broken = [](const std::string& text) { return text.find_first_of("\r\n") != std::string::npos; };
    const Acting& as = identity->as;
    if (broken(identity->authorization) || broken(as.user) || broken(as.uid) || std::any_of(as.groups.begin(), as.groups.end(), broken) ||
        std::any_of(as.extra.begin(), as.extra.end(), [&](const auto& one) { return broken(one.second); })) {
        return Error{.code = Errc::invalid, .what = "the token, or the name to act as, has a line break in it"};
    }
    return std::shared_ptr<const Identity>(std::move(identity));
}

}  // namespace penstock::kubeapi
