package handstamp;

import java.util.Arrays;
import java.util.List;

/** What a client is told to do. */
record Call(String endpoint, boolean streaming, String address, String text, List<String> options) {
    static Call of(String[] words) {
        List<String> options = Arrays.asList(words).subList(5, words.length);
        return new Call(words[1], words[2].equals("streaming"), words[3], words[4], options);
    }

    boolean wants(String option) {
        return options.contains(option);
    }
}
