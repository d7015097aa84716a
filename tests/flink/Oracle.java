import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Array;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.Period;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Answers SQL with Flink: `Oracle SCRIPTS THREADS`. SCRIPTS has one JSON object a line: {"name", "steps": [{"id", "sql"} or {"set", "value"}]}.
 * A script's steps run one after another in a session of their own; scripts run side by side on one small cluster in this process.
 * A step with an id is answered with a line {"id", "mode", "types", "rows": [[kind, value, ..]]} or {"id", "error"}; one without is setup, and answered
 * only where it fails ({"setup", "error"}). What a streaming session refuses is tried in a batch session, unless the step says "once".
 */
public final class Oracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int SECONDS_A_STATEMENT = 60;
    private static final int SECONDS_AN_ANSWER = 150;   // both modes, and planning, which is not bounded by itself
    private static final ScheduledExecutorService WATCH = Executors.newScheduledThreadPool(1);
    private static final Pattern QUERY = Pattern.compile("\\s*[(\\s]*(SELECT|WITH|VALUES)\\b", Pattern.CASE_INSENSITIVE);
    private static final Pattern JOB = Pattern.compile("\\s*(INSERT|EXECUTE|BEGIN|CREATE\\s+TABLE\\b[^;]*\\bAS\\s+SELECT)\\b", Pattern.CASE_INSENSITIVE);
    private static PrintStream out;

    private final Configuration cluster;
    private final JsonNode steps;
    private StreamExecutionEnvironment jobs;
    private StreamTableEnvironment streaming;
    private StreamTableEnvironment batch;
    private int done;   // steps that the batch session knows
    private volatile int now;   // the step that is run, and since when
    private volatile long since = System.nanoTime();

    private Oracle(Configuration cluster, JsonNode steps) {   // what belongs to a session is made in the thread that runs it: Flink's planner keeps some of it by thread
        this.cluster = cluster;
        this.steps = steps;
    }

    private Configuration configuration(String mode) {
        Configuration configuration = new Configuration(cluster);
        configuration.setString("execution.runtime-mode", mode);
        return configuration;
    }

    private StreamTableEnvironment session(StreamExecutionEnvironment environment, String mode) {
        return StreamTableEnvironment.create(environment, EnvironmentSettings.newInstance().withConfiguration(configuration(mode)).build());
    }

    private static String root(Throwable e) {
        while (e.getCause() != null) e = e.getCause();
        return e.getClass().getSimpleName() + ": " + e.getMessage();
    }

    private static String text(Object value, ZoneId zone) {
        DateTimeFormatter time = DateTimeFormatter.ofPattern("HH:mm:ss.SSSSSSSSS");
        DateTimeFormatter moment = DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSSSSSSSS");
        if (value instanceof java.math.BigDecimal d) return d.toPlainString();
        if (value instanceof byte[] bytes) return "x'" + HexFormat.of().formatHex(bytes) + "'";
        if (value instanceof LocalTime t) return time.format(t);
        if (value instanceof LocalDateTime t) return moment.format(t);
        if (value instanceof Instant t) return moment.format(LocalDateTime.ofInstant(t, zone));
        if (value instanceof Duration d) return "" + (d.getSeconds() * 1_000_000 + d.getNano() / 1000);
        if (value instanceof Period p) return "" + p.toTotalMonths();
        if (value instanceof Row row) {
            List<String> fields = new ArrayList<>();
            for (int i = 0; i < row.getArity(); i++) fields.add(nested(row.getField(i), zone));
            return "(" + String.join(", ", fields) + ")";
        }
        if (value instanceof Map<?, ?> map) {   // in no order of its own
            TreeSet<String> entries = new TreeSet<>();
            map.forEach((k, v) -> entries.add(nested(k, zone) + "=" + nested(v, zone)));
            return "{" + String.join(", ", entries) + "}";
        }
        if (value.getClass().isArray()) {
            List<String> elements = new ArrayList<>();
            for (int i = 0; i < Array.getLength(value); i++) elements.add(nested(Array.get(value, i), zone));
            return "[" + String.join(", ", elements) + "]";
        }
        return value.toString();
    }

    private static String nested(Object value, ZoneId zone) { return value == null ? "NULL" : text(value, zone); }

    /** Runs one statement to its end. Gives its rows when `answer` is not null. */
    private void execute(StreamTableEnvironment session, String sql, ObjectNode answer) throws Exception {
        TableResult result = session.executeSql(sql);
        ScheduledFuture<?> limit = WATCH.schedule(() -> result.getJobClient().ifPresent(job -> job.cancel()), SECONDS_A_STATEMENT, TimeUnit.SECONDS);
        try {
            if (answer == null) {
                result.await();
                return;
            }
            types(result.getResolvedSchema(), answer);
            rows(result.collect(), session, answer);
        } finally {
            limit.cancel(false);
        }
    }

    /** The same of a query in the streaming session, with the row before of every update: collect() leaves it out where the result has a key, which it does not tell. */
    private void query(String sql, ObjectNode answer) throws Exception {
        Table table = streaming.sqlQuery(sql);
        types(table.getResolvedSchema(), answer);
        CloseableIterator<Row> all = streaming.toChangelogStream(table).collectAsync();
        JobClient job = jobs.executeAsync();
        ScheduledFuture<?> limit = WATCH.schedule(() -> job.cancel(), SECONDS_A_STATEMENT, TimeUnit.SECONDS);
        try {
            rows(all, streaming, answer);
            job.getJobExecutionResult().get();
        } finally {
            limit.cancel(false);
        }
    }

    private static void types(ResolvedSchema schema, ObjectNode answer) {
        ArrayNode types = answer.putArray("types");
        for (Column column : schema.getColumns()) types.add(column.getDataType().getLogicalType().copy(true).asSerializableString());
    }

    private static void rows(CloseableIterator<Row> from, StreamTableEnvironment session, ObjectNode answer) throws Exception {
        ArrayNode rows = answer.putArray("rows");
        try (from) {
            while (from.hasNext()) {
                Row row = from.next();
                ArrayNode values = rows.addArray().add(row.getKind().shortString());
                for (int i = 0; i < row.getArity(); i++) values.add(row.getField(i) == null ? null : text(row.getField(i), session.getConfig().getLocalTimeZone()));
            }
        }
    }

    /** What a step sets up, but for its jobs. */
    private static void setUp(StreamTableEnvironment session, JsonNode step) {
        if (step.has("set")) session.getConfig().set(step.get("set").asText(), step.get("value").asText());
        else if (!step.has("id") && !JOB.matcher(step.get("sql").asText()).lookingAt()) session.executeSql(step.get("sql").asText());
    }

    private StreamTableEnvironment batch() {
        if (batch == null) batch = session(new StreamExecutionEnvironment(configuration("batch")), "batch");
        for (; done < now; done++) setUp(batch, steps.get(done));   // what was set up so far, and is not yet there
        return batch;
    }

    private ObjectNode answer(JsonNode step) {
        ObjectNode answer = JSON.createObjectNode().put("id", step.get("id").asText());
        try {
            String sql = step.get("sql").asText();
            if (QUERY.matcher(sql).lookingAt()) query(sql, answer);
            else execute(streaming, sql, answer);
            return answer.put("mode", "streaming");
        } catch (ThreadDeath e) {
            throw e;
        } catch (Throwable e) {
            if (step.has("once")) return JSON.createObjectNode().put("id", step.get("id").asText()).put("error", root(e));
            try {
                ObjectNode second = JSON.createObjectNode().put("id", step.get("id").asText());
                execute(batch(), step.get("sql").asText(), second);
                return second.put("mode", "batch").put("refused", root(e));
            } catch (ThreadDeath end) {
                throw end;
            } catch (Throwable again) {
                return JSON.createObjectNode().put("id", step.get("id").asText()).put("error", root(e));
            }
        }
    }

    /** The steps from `first` on; what those before it set up is set up again. */
    private void run(String name, int first) {
        jobs = new StreamExecutionEnvironment(configuration("streaming"));
        streaming = session(jobs, "streaming");
        for (int i = 0; i < first; i++) {
            try {
                setUp(streaming, steps.get(i));
            } catch (RuntimeException e) {
                // it has been said
            }
        }
        for (now = first; now < steps.size(); now++) {
            since = System.nanoTime();
            JsonNode step = steps.get(now);
            ObjectNode line = null;
            if (step.has("set")) {
                streaming.getConfig().set(step.get("set").asText(), step.get("value").asText());
            } else if (step.has("id")) {
                line = answer(step);
            } else {
                try {
                    execute(streaming, step.get("sql").asText(), null);
                } catch (Throwable e) {
                    line = JSON.createObjectNode().put("setup", name).put("sql", step.get("sql").asText()).put("error", root(e));
                }
            }
            if (line != null) print(line);
        }
    }

    private static void print(ObjectNode line) {
        synchronized (out) {
            out.println(line);
            out.flush();
        }
    }

    /** A whole script. Flink's planner can go round for ever, and does not look at interrupts: then its thread is stopped, and a new session goes on behind the step. */
    private static void run(Configuration cluster, String name, JsonNode steps) throws InterruptedException {
        for (int first = 0; first < steps.size();) {
            Oracle oracle = new Oracle(cluster, steps);
            int begin = first;
            Thread session = new Thread(() -> oracle.run(name, begin));
            session.setDaemon(true);
            session.start();
            while (session.isAlive() && System.nanoTime() - oracle.since < SECONDS_AN_ANSWER * 1_000_000_000L) session.join(500);
            if (!session.isAlive()) return;
            first = oracle.now + 1;
            try {
                session.stop();
            } catch (UnsupportedOperationException e) {
                // Java 20 and later: it goes on beside the others, up to the end of the process
            }
            JsonNode step = steps.get(first - 1);
            print(JSON.createObjectNode().put(step.has("id") ? "id" : "setup", step.has("id") ? step.get("id").asText() : name).put("sql", step.path("sql").asText())
                .put("error", "no plan and no answer within " + SECONDS_AN_ANSWER + " s"));
        }
    }

    public static void main(String[] args) throws Exception {
        out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)), false, "UTF-8");
        System.setOut(System.err);
        int threads = Integer.parseInt(args[1]);
        Configuration server = new Configuration();
        server.setString("rest.bind-port", "0");
        server.setString("web.refresh-interval", "20");
        server.setString("taskmanager.memory.network.min", "32mb");
        server.setString("taskmanager.memory.network.max", "32mb");
        server.setString("taskmanager.memory.managed.size", "64mb");
        MiniCluster flink = new MiniCluster(new MiniClusterConfiguration.Builder().setConfiguration(server).setNumTaskManagers(1).setNumSlotsPerTaskManager(threads + 2).withRandomPorts().build());
        flink.start();
        Configuration client = new Configuration();
        client.setString("execution.target", "remote");
        client.setString("rest.address", flink.getRestAddress().get().getHost());
        client.setString("rest.port", "" + flink.getRestAddress().get().getPort());
        client.setString("parallelism.default", "1");
        client.setString("client.retry-period", "20 ms");
        client.setString("table.dml-sync", "true");
        client.setString("table.local-time-zone", "UTC");
        client.setString("pipeline.auto-watermark-interval", "0 ms");   // a watermark after every row that advances it, never by the clock
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            JsonNode script = JSON.readTree(line);
            pool.submit(() -> {
                try {
                    run(client, script.get("name").asText(), script.get("steps"));
                } catch (Throwable e) {
                    e.printStackTrace();
                }
            });
        }
        pool.shutdown();
        pool.awaitTermination(2, TimeUnit.HOURS);
        out.flush();
        flink.close();
        System.exit(0);
    }
}
