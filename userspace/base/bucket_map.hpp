// SPDX-License-Identifier: Apache-2.0
// A hash map from text in buckets that copies share: a copy costs a pointer per bucket, a write copies one bucket of about 16 entries, and a
// look-up allocates nothing. For tables that are looked into all the time and of which an edit touches a few entries; piece_map.hpp keeps an
// order besides, and is slower to look into.
// A map may be read by several threads while none writes it; copies may be written apart from each other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/base/sole_owner.hpp"

namespace penstock {

template <class Value>
class BucketMap {
public:
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }

    // Null if there is none.
    [[nodiscard]] const Value* find(std::string_view key) const {
        if (size_ == 0) {
            return nullptr;
        }
        const std::size_t hash = hash_of(key);
        const Bucket* bucket = buckets_[place_of(hash)].get();
        const std::size_t at = bucket != nullptr ? bucket->find(tag_of(hash), key) : kNone;
        return at != kNone ? &bucket->entries[at].second : nullptr;
    }

    // Whether it was added; what is there under the key stays.
    bool add(std::string_view key, Value value) {
        if (find(key) != nullptr) {
            return false;
        }
        if (size_ >= kFull * buckets_.size()) {
            spread(std::max<std::size_t>(1, 2 * buckets_.size()));
        }
        put(std::string(key), std::move(value));
        ++size_;
        return true;
    }

    // Puts the value in place of the one of its key.
    void set(std::string_view key, Value value) {
        if (find(key) == nullptr) {
            add(key, std::move(value));
            return;
        }
        const std::size_t hash = hash_of(key);
        Bucket& bucket = own(place_of(hash));
        bucket.entries[bucket.find(tag_of(hash), key)].second = std::move(value);
    }

    // Whether it was there.
    bool erase(std::string_view key) {
        if (find(key) == nullptr) {
            return false;
        }
        const std::size_t hash = hash_of(key);
        Bucket& bucket = own(place_of(hash));
        const auto at = static_cast<std::ptrdiff_t>(bucket.find(tag_of(hash), key));
        bucket.tags.erase(bucket.tags.begin() + at);
        bucket.entries.erase(bucket.entries.begin() + at);
        --size_;
        if (buckets_.size() > 1 && size_ < kFull * buckets_.size() / 8) {
            spread(buckets_.size() / 2);
        }
        return true;
    }

private:
    static constexpr std::size_t kFull = 32;  // entries of a bucket, on average, when there come to be more of these
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    struct Bucket {
        std::vector<std::uint32_t> tags;  // apart, as most of a bucket is not what is looked for
        std::vector<std::pair<std::string, Value>> entries;

        [[nodiscard]] std::size_t find(std::uint32_t tag, std::string_view key) const {
            for (std::size_t i = 0; i < tags.size(); ++i) {
                if (tags[i] == tag && entries[i].first == key) {
                    return i;
                }
            }
            return kNone;
        }
    };

    static std::size_t hash_of(std::string_view key) { return std::hash<std::string_view>()(key); }
    static std::uint32_t tag_of(std::size_t hash) { return static_cast<std::uint32_t>(hash >> 32U); }
    [[nodiscard]] std::size_t place_of(std::size_t hash) const { return hash & (buckets_.size() - 1); }

    Bucket& own(std::size_t place) {
        std::shared_ptr<Bucket>& bucket = buckets_[place];
        if (bucket == nullptr) {
            bucket = std::make_shared<Bucket>();
        } else if (!is_sole_owner(bucket)) {
            bucket = std::make_shared<Bucket>(*bucket);
        }
        return *bucket;
    }

    void put(std::string key, Value value) {
        const std::size_t hash = hash_of(key);
        Bucket& bucket = own(place_of(hash));
        bucket.tags.push_back(tag_of(hash));
        bucket.entries.emplace_back(std::move(key), std::move(value));
    }

    void spread(std::size_t count) {
        const std::vector<std::shared_ptr<Bucket>> before = std::exchange(buckets_, std::vector<std::shared_ptr<Bucket>>(count));
        for (const auto& bucket : before) {
            for (std::size_t i = 0; bucket != nullptr && i < bucket->entries.size(); ++i) {
                put(bucket->entries[i].first, bucket->entries[i].second);
            }
        }
    }

    std::vector<std::shared_ptr<Bucket>> buckets_;  // a power of two, or none; null: empty
    std::size_t size_ = 0;
};

}  // namespace penstock
