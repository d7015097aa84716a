import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/**
 * Runs the statements of a file, one after another, in this process: `java -cp ... FlinkSql.java FILE.sql [KEY=VALUE ..]` (Flink's settings).
 * Prints what each took: `took CPU_NANOSECONDS WALL_NANOSECONDS`, the CPU of this whole process, or with -Dcpu.of=PID of that one.
 */
public class FlinkSql {
    private static long cpu(String other, OperatingSystemMXBean system) {
        return other == null ? system.getProcessCpuTime() : ProcessHandle.of(Long.parseLong(other)).orElseThrow().info().totalCpuDuration().orElseThrow().toNanos();
    }

    public static void main(String[] args) throws Exception {
        Configuration configuration = new Configuration();
        for (int i = 1; i < args.length; i++) configuration.setString(args[i].substring(0, args[i].indexOf('=')), args[i].substring(args[i].indexOf('=') + 1));
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
        String other = System.getProperty("cpu.of");
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        for (String statement : Files.readString(Path.of(args[0])).split(";\\s*\\n")) {
            if (statement.isBlank()) continue;
            long cpu = cpu(other, system), wall = System.nanoTime();
            tables.executeSql(statement.strip()).await();
            System.out.println("took " + (cpu(other, system) - cpu) + " " + (System.nanoTime() - wall));
        }
    }
}
