// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <deque>
#include <future>
#include <list>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "ctl/kubeapi/credentials.hpp"
#include "ctl/kubeapi/transfer.hpp"
#include "ctl/model/value_text.hpp"
#include "userspace/base/log.hpp"

namespace penstock::kubeapi {

namespace {

std::int64_t unix_now() { return static_cast<std::int64_t>(::time(nullptr)); }

constexpr long kSoonMs = 1;  // libcurl says so of what is due within one

CURLM* new_multi() {
    CURLM* multi = ::curl_multi_init();
    if (multi != nullptr) {
        ::curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    }
    return multi;
}

class CurlClient : public Client {
public:
    CurlClient(Access access, ClientLimits limits, CURLM* multi)
        : access_(access), limits_(limits), credentials_(std::move(access), unix_now), bucket_(limits.per_second, limits.burst, Clock::now()), multi_(multi) {
        thread_ = std::thread([this] { run(); });
    }
    ~CurlClient() override {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
            ::curl_multi_wakeup(multi_);
        }
        thread_.join();
        for (auto& transfer : running_) {
            ::curl_multi_remove_handle(multi_, transfer->handle());
        }
        running_.clear();
        ::curl_multi_cleanup(multi_);
    }
    CurlClient(const CurlClient&) = delete;
    CurlClient& operator=(const CurlClient&) = delete;

    void send(Request request, Done done) override { post({std::move(request), {}, std::move(done)}); }
    std::uint64_t stream(Request request, OnLine line, Done done) override {
        const std::uint64_t number = ++streams_;
        post({std::move(request), std::move(line), std::move(done), number});
        return number;
    }
    void end_stream(std::uint64_t number) override {
        after(milliseconds(0), [this, number] { drop(number); });
    }
    void after(milliseconds delay, Task task) override {
        const std::lock_guard lock(mutex_);
        timers_.emplace(Clock::now() + delay, std::move(task));
        wake();
    }
    [[nodiscard]] const ClientCounts& counts() const override { return counts_; }

private:
    using Running = std::list<std::unique_ptr<Transfer>>;

    void post(Order order) {
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(order));
        wake();
    }
    // The thread itself looks before it sleeps.
    void wake() {
        if (std::this_thread::get_id() != runner_) {
            ::curl_multi_wakeup(multi_);
        }
    }

    // ---- the thread
    // On one connection of HTTP/2 a transfer reads what comes for others, too, and libcurl is to run those at once in a next round. It may forget
    // (7.88.1: add_next_timeout() compares whole milliseconds, and a transfer that begins moves the round's time on), and bytes lay there until
    // anything else happened. That takes a round in which something had come, is due or begins: after such a one there is always another before
    // the thread sleeps.
    void run() {
        runner_ = std::this_thread::get_id();
        int came = 0;
        while (take_posted()) {
            run_timers();
            const std::uint64_t begun = counts_.requests;
            start_waiting();
            const bool calm = came == 0 && counts_.requests == begun && !is_due();
            int active = 0;
            ::curl_multi_perform(multi_, &active);
            finish();
            run_timers();  // what came is handed on at once
            ::curl_multi_poll(multi_, nullptr, 0, calm ? wait_ms() : 0, &came);
        }
    }

    [[nodiscard]] bool is_due() const {
        long left_ms = -1;
        ::curl_multi_timeout(multi_, &left_ms);
        return left_ms >= 0 && left_ms <= kSoonMs;
    }

    bool take_posted() {
        const std::lock_guard lock(mutex_);
        for (Order& order : posted_) {
            (order.request.urgent ? urgent_ : waiting_).push_back(std::move(order));
        }
        posted_.clear();
        return !over_;
    }

    void run_timers() {
        while (true) {
            Task due;
            {
                const std::lock_guard lock(mutex_);
                if (timers_.empty() || timers_.begin()->first > Clock::now()) {
                    return;
                }
                due = std::move(timers_.begin()->second);
                timers_.erase(timers_.begin());
            }
            due();
        }
    }

    // Streams are few and long: they do not take the place of others.
    void start_waiting() {
        pause_ = milliseconds(-1);
        for (Order& order : std::exchange(urgent_, {})) {
            start(std::move(order));
        }
        for (auto it = waiting_.begin(); it != waiting_.end();) {
            if (!it->line && plain_running_ >= limits_.in_flight) {
                ++it;
                continue;
            }
            if (const milliseconds wait = bucket_.take(Clock::now()); wait.count() > 0) {
                counts_.throttled += it->counted_as_throttled ? 0 : 1;
                it->counted_as_throttled = true;
                pause_ = wait;
                return;
            }
            Order order = std::move(*it);
            it = waiting_.erase(it);
            start(std::move(order));
        }
    }

    void start(Order order) {
        ++counts_.requests;
        auto identity = credentials_.get();
        if (!identity.ok()) {
            ++counts_.failed;
            order.done(std::move(identity).error());
            return;
        }
        plain_running_ += order.line ? 0 : 1;
        auto transfer = std::make_unique<Transfer>(std::move(order), access_, std::move(identity).value(), limits_, heard_);
        ::curl_easy_setopt(transfer->handle(), CURLOPT_PRIVATE, transfer.get());
        ::curl_multi_add_handle(multi_, transfer->handle());
        running_.push_back(std::move(transfer));
        running_.back()->place = std::prev(running_.end());
    }

    void drop(std::uint64_t number) {
        (void)take_posted();
        const auto running = std::find_if(running_.begin(), running_.end(), [&](const auto& one) { return one->number() == number; });
        if (running != running_.end()) {
            ::curl_multi_remove_handle(multi_, (*running)->handle());
            running_.erase(running);
        }
        std::erase_if(waiting_, [&](const Order& order) { return order.number == number; });
    }

    void finish() {
        int left = 0;
        bool mute = false;
        while (CURLMsg* message = ::curl_multi_info_read(multi_, &left)) {
            if (message->msg != CURLMSG_DONE) {
                continue;
            }
            const CURLcode code = message->data.result;
            Transfer* ended = nullptr;
            ::curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ended);
            ::curl_multi_remove_handle(multi_, ended->handle());
            const std::unique_ptr<Transfer> transfer = std::move(*ended->place);
            running_.erase(transfer->place);
            plain_running_ -= transfer->is_stream() ? 0 : 1;
            if (code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CERTPROBLEM || code == CURLE_PEER_FAILED_VERIFICATION) {
                credentials_.no_tls();
            }
            mute = mute || is_mute(code, *transfer);
            http1_ = transfer->http1().value_or(http1_);
            Result<Answer> result = transfer->result(code);
            tell(result);
            transfer->done(std::move(result));
        }
        if (mute) {
            connect_anew();
        }
    }

    // All requests share one connection of HTTP/2, and libcurl keeps it when one of them times out. Nothing that came since the request began, of
    // any of them, is our sign that nothing will, as a PING is others'. A server that is away altogether is not knocked at all the time.
    [[nodiscard]] bool is_mute(CURLcode code, const Transfer& transfer) const {
        const auto now = Clock::now();
        return code == CURLE_OPERATION_TIMEDOUT && !http1_ && heard_ < transfer.began() && (heard_ >= connected_ || now - connected_ >= limits_.silence);
    }

    void connect_anew() {
        CURLM* fresh = new_multi();
        if (fresh == nullptr) {
            return;
        }
        log::warn("Kubernetes API: {} fell silent; connecting anew", access_.server);
        Running lost;
        lost.swap(running_);
        plain_running_ = 0;
        for (const auto& transfer : lost) {
            ::curl_multi_remove_handle(multi_, transfer->handle());
        }
        {
            const std::lock_guard lock(mutex_);  // others wake it
            std::swap(multi_, fresh);
        }
        ::curl_multi_cleanup(fresh);
        connected_ = Clock::now();
        for (const auto& transfer : lost) {
            Result<Answer> result = transfer->failure(Errc::timeout, "the connection fell silent");
            tell(result);
            transfer->done(std::move(result));
        }
    }

    void tell(const Result<Answer>& result) {
        counts_.failed += !result.ok() || result->status >= 500 ? 1 : 0;
        counts_.throttled += result.ok() && result->status == 429 ? 1 : 0;
        if (result.ok() && result->status == 401) {
            credentials_.refused();
        }
    }

    int wait_ms() {
        const std::lock_guard lock(mutex_);
        auto wait = milliseconds(60'000);
        if (!posted_.empty() || !urgent_.empty() || over_) {
            return 0;
        }
        if (pause_.count() >= 0) {
            wait = std::min(wait, pause_);
        }
        if (!timers_.empty()) {
            const auto until = std::chrono::ceil<milliseconds>(timers_.begin()->first - Clock::now());
            wait = std::clamp(until, milliseconds(0), wait);
        }
        // What a callback queued may start at once; what waits for others in flight is started when one ends.
        const bool room = plain_running_ < limits_.in_flight && !waiting_.empty() && pause_.count() < 0;
        return room ? 0 : static_cast<int>(wait.count());
    }

    const Access access_;
    const ClientLimits limits_;
    ClientCounts counts_;

    std::atomic<std::uint64_t> streams_{0};

    std::atomic<std::thread::id> runner_{};
    std::mutex mutex_;  // of the next three
    std::vector<Order> posted_;
    std::multimap<Time, Task> timers_;
    bool over_ = false;

    // The thread's own.
    Credentials credentials_;
    TokenBucket bucket_;
    std::deque<Order> urgent_;
    std::deque<Order> waiting_;
    Running running_;
    unsigned plain_running_ = 0;
    milliseconds pause_{-1};  // for the pace; negative: none
    CURLM* multi_;            // changed under the mutex
    Time connected_ = Clock::now();  // since when it is this one
    Time heard_{};            // the last byte of any answer
    bool http1_ = false;      // as the newest answer had it: each request has a connection of its own
    std::thread thread_;
};

}  // namespace

Error Answer::failure(const std::string& what) const {
    const auto parsed = model::parse_json(body, {.bytes_max = 1U << 20});
    const model::Value* message = parsed.ok() ? parsed->find("message") : nullptr;
    const bool said = message != nullptr && message->as_string() != nullptr && !message->as_string()->empty();
    Error error{.code = Errc::internal, .what = said ? *message->as_string() : fmt::format("the API server answered {}", status)};
    switch (status) {
        case 401: error.code = Errc::denied, error.hint = "the API server does not know these credentials"; break;
        case 403: error.code = Errc::denied, error.hint = "the service account or user lacks this right: see the ClusterRole in configs/deploy"; break;
        case 404: error.code = Errc::not_found; break;
        case 409: error.code = Errc::exists; break;
        case 429: error.code = Errc::limit; break;
        case 504: error.code = Errc::timeout; break;
        default: break;
    }
    return std::move(error).in(what);
}

Result<Answer> Client::call(Request request) {
    auto promise = std::make_shared<std::promise<Result<Answer>>>();
    auto answer = promise->get_future();
    send(std::move(request), [promise](Result<Answer> result) { promise->set_value(std::move(result)); });
    return answer.get();
}

Result<std::unique_ptr<Client>> Client::start(Access access, ClientLimits limits) {
    static const CURLcode kReady = ::curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM* multi = kReady == CURLE_OK ? new_multi() : nullptr;
    if (multi == nullptr) {
        return Error{.code = Errc::internal, .what = "set up libcurl"};
    }
    return std::unique_ptr<Client>(std::make_unique<CurlClient>(std::move(access), limits, multi));
}

}  // namespace penstock::kubeapi
