// Each rule runs one query of infra/queries/alerts; every row that it returns is one thing that is wrong, and the
// runbook of the same name in docs/how-to says what to do.

param location string
param tags object
param componentId string
param email string

@description('Folder or address of the runbooks.')
param runbooksUrl string

// A severity of 1 wakes somebody up, 2 can wait for the morning. Windows overlap with the evaluations, so that a late
// log line is seen by the next one.
var rules = [
  {
    name: 'export-failed'
    title: 'An export failed, is held, or cannot be read'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/export-failed.kql')
  }
  {
    name: 'scheduled-export-missing'
    title: 'No export starts by itself, or the app does not run at all'
    severity: 1
    every: 'PT15M'
    window: 'P2D'
    query: loadTextContent('../queries/alerts/scheduled-export-missing.kql')
  }
  {
    name: 'run-stalled'
    title: 'A run makes no progress'
    severity: 1
    every: 'PT15M'
    window: 'P2D'
    query: loadTextContent('../queries/alerts/run-stalled.kql')
  }
  {
    name: 'poison-message'
    title: 'A message failed too often'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/poison-message.kql')
  }
  {
    name: 'credentials-refused'
    title: 'An API key, or the access to Key Vault, is refused'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/credentials-refused.kql')
  }
  {
    name: 'many-rejects'
    title: 'Many rows of an export did not arrive'
    severity: 2
    every: 'PT15M'
    window: 'PT1H'
    query: loadTextContent('../queries/alerts/many-rejects.kql')
  }
  {
    name: 'throttled'
    title: 'ActiveCampaign is throttling the exports'
    severity: 2
    every: 'PT15M'
    window: 'PT1H'
    query: loadTextContent('../queries/alerts/throttled.kql')
  }
  {
    name: 'service-defect'
    title: 'The service itself went wrong'
    severity: 2
    every: 'PT15M'
    window: 'PT1H'
    query: loadTextContent('../queries/alerts/service-defect.kql')
  }
  {
    name: 'access-refused'
    title: 'A caller is refused again and again'
    severity: 2
    every: 'PT15M'
    window: 'PT1H'
    query: loadTextContent('../queries/alerts/access-refused.kql')
  }
  {
    name: 'door-open'
    title: 'Anybody can be an administrator of the app'
    severity: 1
    every: 'PT5M'
    window: 'PT2H' // it is tested once an hour
    query: loadTextContent('../queries/alerts/door-open.kql')
  }
]

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-segment-exporter'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'exporter'
    emailReceivers: [{ name: 'operators', emailAddress: email, useCommonAlertSchema: true }]
  }
}

resource alert 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for rule in rules: {
    name: rule.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.title
      description: 'First ${runbooksUrl}/first-checks.md, then ${runbooksUrl}/${rule.name}.md'
      severity: rule.severity
      enabled: true
      scopes: [componentId]
      // Before the first row, a table that a query names may be missing; tests/infra reads the queries instead.
      skipQueryValidation: true
      evaluationFrequency: rule.every
      windowSize: rule.window
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      // Closed when the query returns no row any more.
      autoMitigate: true
      actions: {
        actionGroups: [group.id]
        customProperties: { firstChecksUrl: '${runbooksUrl}/first-checks.md', runbookUrl: '${runbooksUrl}/${rule.name}.md' }
      }
    }
  }
]
