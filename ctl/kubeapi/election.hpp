// SPDX-License-Identifier: Apache-2.0
// Who writes, where several could: the holder of a Lease (coordination.k8s.io/v1). A state machine without I/O. That a holder is gone is
// judged by our own clock since its Lease last changed, never by the times written in it: clocks differ. A holder that could not renew for
// two thirds of the duration stops by itself, before anybody else may begin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/pace.hpp"

namespace penstock::kubeapi {

class Election {
public:
    static constexpr milliseconds kDuration{15'000};
    static constexpr milliseconds kRenewDeadline{10'000};
    static constexpr milliseconds kPause{2'000};  // between two looks

    // `ns` and `name` of the Lease; `identity` is ours alone.
    Election(std::string ns, std::string name, std::string identity);

    // What to ask the server now. One request at a time: answered() follows before the next. `unix_us` goes into the Lease, for people.
    [[nodiscard]] Request next(std::int64_t unix_us);
    void answered(const Result<Answer>& answer, Time now);
    // When to ask again after answered().
    [[nodiscard]] milliseconds pause() const { return pause_; }

    [[nodiscard]] bool leads(Time now) const { return renewed_ && now - *renewed_ < kRenewDeadline; }
    // Of the Lease as it was last seen; "" if nobody.
    [[nodiscard]] const std::string& holder() const { return holder_; }
    // Why the last answer led nowhere; nothing if all is well.
    [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }
    // The request by which a leader steps down, so that its successor need not wait; nothing if we do not lead.
    [[nodiscard]] std::optional<Request> release(std::int64_t unix_us);

private:
    enum class Step : std::uint8_t { look, create, take };
    [[nodiscard]] Request write(const char* method, const std::string& path, const std::string& holder, std::int64_t unix_us) const;
    void seen(const Answer& answer, Time now);
    [[nodiscard]] std::string path() const;

    const std::string ns_;
    const std::string name_;
    const std::string identity_;
    Step step_ = Step::look;
    milliseconds pause_{0};
    std::string holder_;
    std::string version_;
    std::int64_t transitions_ = 0;
    std::string acquired_;            // acquireTime of the holder
    std::optional<Time> changed_;     // when the Lease was last seen to change
    std::optional<Time> renewed_;     // by us
    std::optional<Error> trouble_;
};

}  // namespace penstock::kubeapi
