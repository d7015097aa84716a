import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/**
 * Runs the statements of a file, one after another, in this process: `java -cp ... FlinkSql.java FILE.sql [KEY=VALUE ..]` (Flink's settings).
 * Prints what each took: `took CPU_NANOSECONDS WALL_NANOSECONDS`, the CPU of the whole process.
 */
public class FlinkSql {
    public static void main(String[] args) throws Exception {
        Configuration configuration = new Configuration();
        for (int i = 1; i < args.length; i++) configuration.setString(args[i].substring(0, args[i].indexOf('=')), args[i].substring(args[i].indexOf('=') + 1));
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        for (String statement : Files.readString(Path.of(args[0])).split(";\\s*\\n")) {
            if (statement.isBlank()) continue;
            long cpu = system.getProcessCpuTime(), wall = System.nanoTime();
            tables.executeSql(statement.strip()).await();
            System.out.println("took " + (system.getProcessCpuTime() - cpu) + " " + (System.nanoTime() - wall));
        }
    }
}
