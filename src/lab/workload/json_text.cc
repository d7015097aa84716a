#include "lab/workload/json_text.h"

#include <fmt/format.h>

#include "data/types/value.h"

namespace supyo::workload {

void append_number(std::int64_t v, std::string& out) {
  const fmt::format_int text(v);
  out.append(text.data(), text.size());
}

void append_digits(std::int64_t v, int width, std::string& out) {
  char text[20];
  for (int i = width; i > 0; --i) {
    text[i - 1] = static_cast<char>('0' + v % 10);
    v /= 10;
  }
  out.append(text, static_cast<std::size_t>(width));
}

void append_time(TimeUs t, std::string& out) {
  std::int64_t ms = t / kMillisecond;
  const std::int64_t day = (ms >= 0 ? ms : ms - 86'399'999) / 86'400'000;
  ms -= day * 86'400'000;
  out += format_date(static_cast<std::int32_t>(day));
  out += ' ';
  append_digits(ms / 3'600'000, 2, out);
  out += ':';
  append_digits(ms / 60'000 % 60, 2, out);
  out += ':';
  append_digits(ms / 1000 % 60, 2, out);
  out += '.';
  append_digits(ms % 1000, 3, out);
}

void append_result_time(TimeUs t, std::string& out) {
  append_time(t, out);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
}

void append_times(TimeUs event_us, TimeUs ingest_us, std::string& out) {
  out += ",\"event_time\":\"";
  append_time(event_us, out);
  out += "\",\"ingest_time\":\"";
  append_time(ingest_us, out);
  out += "\"}";
}

}  // namespace supyo::workload
