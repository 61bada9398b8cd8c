import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Grants what a file says, a right a line: principal, resource, name, pattern and operation. */
public class Acls {
    public static void main(String[] arguments) throws Exception {
        List<AclBinding> bindings = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(arguments[1]))) {
            String[] words = line.split(" ");
            ResourceType type = ResourceType.fromString(words[1]);
            ResourcePattern pattern = new ResourcePattern(type, words[2], PatternType.fromString(words[3]));
            AclOperation operation = AclOperation.fromString(words[4]);
            bindings.add(new AclBinding(
                pattern, new AccessControlEntry(words[0], "*", operation, AclPermissionType.ALLOW)));
        }
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            admin.createAcls(bindings).all().get();
        }
    }
}
